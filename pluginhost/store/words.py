"""Alerts found by the words people read in them: an index of the text (FTS5) in the desk's database.

Indexed are the headline, the analyzer's name and a few telling fields of the document (`FIELDS`), each as far as `_MOST` characters; never
the whole record, whose words nobody chose. A word is letters and digits, without case and accents; `203.0.113.9` is four of them in a row.
Its first one to four letters are in the index, too: a short beginning of many words would have to be put together from all of them.
Beside the text stand marks that people cannot ask for: severity, analyzer, and whether the alert was told. So a search for a frequent word
among few alerts meets two lists in the index, and does not look at every alert that has the word.

The text is not kept twice (contentless): what leaves is taken out by the words it was put in with, so an alert's row must not change while
it is stored. `ADD` and `REMOVE` do many alerts in one statement each, and no trigger does one: FTS5 writes its words out with every
statement that may have to be undone.
"""

from __future__ import annotations

import re

__all__ = ["ADD", "FIELDS", "REMOVE", "SCRIPT", "wanted"]

FIELDS = ("message", "event.reason", "rule.name", "user.name", "host.name", "source.ip", "destination.ip")
"""The fields of a document whose words are found."""

_MOST = 1000  # characters of each field: what is longer was made by a sender
_LONGEST, _TERMS = 1000, 32  # characters of a question that are read, and how many words and phrases
_PARTS = re.compile(r'"([^"]*)"(\*?)|(\S+)')

_JSON = "CAST(document AS TEXT)"
_PATHS = ", ".join(f"'$.{field}'" for field in FIELDS)
_TEXT = f"""substr(headline, 1, {_MOST}) || ' ' || analyzer || ' ' || CASE WHEN json_valid({_JSON}) THEN
            (SELECT COALESCE(group_concat(substr(value, 1, {_MOST}), char(10)), '') FROM json_each(json_extract({_JSON}, {_PATHS}))
             WHERE value <> headline) ELSE '' END"""  # noqa: S608 - names from above
_MARKS = "'a' || hex(analyzer) || ' s' || hex(severity) || CASE suppressed WHEN '' THEN ' told' ELSE ' silent' END"  # each one word
_ALL = f"INSERT INTO words (rowid, text, marks) SELECT seq, {_TEXT}, {_MARKS} FROM alerts"  # noqa: S608 - SQL from above

ADD = f"{_ALL} WHERE seq > ?"
"""SQL that puts in the alerts behind a `seq`."""

REMOVE = f"""
    INSERT INTO words (words, rowid, text, marks) SELECT 'delete', seq, {_TEXT}, {_MARKS} FROM alerts
    WHERE seq IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - SQL from above
"""SQL that takes out alerts by `seq`, an array of JSON, while they are still there."""

SCRIPT = f"""
    CREATE VIRTUAL TABLE words USING fts5 (text, marks, content = '', columnsize = 0, prefix = '1 2 3 4',
                                            tokenize = 'unicode61 remove_diacritics 2');
    INSERT INTO words (words, rank) VALUES ('hashsize', {64 << 20});
    {_ALL};
    INSERT INTO words (words, rank) VALUES ('hashsize', {1 << 20});
"""  # noqa: S608 - SQL from above
"""The migration that makes the index, of the alerts that are there already, too: half a minute for a million, for which it collects more
words in memory (64 MiB, then FTS5's own 1 MiB again) before it writes them out."""


def wanted(text: str, *, severity: str | None = None, analyzer: str | None = None, suppressed: bool | None = None) -> str:
    """What to MATCH so that every word and "phrase" of `text`, which is not blank, is found, `adm*` by its beginning.

    Whatever else stands in it means nothing: no text is an error, or an operator of FTS5. One without a letter or digit finds nothing.
    """
    asked = " ".join(_term(quoted or bare, bool(star)) for quoted, star, bare in _PARTS.findall(text[:_LONGEST])[:_TERMS])
    marks = [f'"s{_hex(severity)}"'] if severity is not None else []
    marks += [f'"a{_hex(analyzer)}"'] if analyzer is not None else []
    marks += ['"silent"' if suppressed else '"told"'] if suppressed is not None else []
    return f"text : ({asked})" + (f" AND marks : ({' '.join(marks)})" if marks else "")


def _term(text: str, star: bool) -> str:
    """One word or phrase as FTS5 takes it literally."""
    text, star = (text, star) if not text.endswith("*") else (text.rstrip("*"), True)
    literal = text.replace('"', " ").replace("\0", " ").encode("utf-8", "replace").decode()
    return f'"{literal}"{"*" if star else ""}'


def _hex(text: str) -> str:
    return text.encode("utf-8", "replace").hex()
