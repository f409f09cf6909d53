"""The shipped samples as text: their sections, and what may become of one. Nothing here knows a shipper.

A shipped file has sections between `# >>> name` and `# <<< name`, also one inside another. Each is printed with its defaults replaced by
what is configured, put in force where it is a comment, left out, or replaced by a comment that says how to get it. A default that does not
stand in its section is our own bug and raises.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping

from .. import shipped_analyzers

__all__ = ["Section", "as_it_is", "changed", "either", "in_force", "left_out", "no_way_back", "rendered", "shipped", "uncommented"]

Section = Callable[[str], str]
"""What is printed of a section, made from its text."""

_SECTION = re.compile(r"^[ #]*# >>> (?P<name>.+)\n(?P<body>(?:.*\n)*?)[ #]*# <<< (?P=name)\n", re.MULTILINE)
_NO_WAY_BACK = """\
# Flagged records do not come back here: pluginhost.yaml has no output that leads to {shipper}. Add one and print this again:
#   outputs:
#     - {output}
"""


def shipped(folder: str, name: str) -> str:
    """The text of a shipped file."""
    return (shipped_analyzers().parent / folder / name).read_text("utf-8")


def rendered(text: str, sections: Mapping[str, Section]) -> str:
    """`text` with each of its sections, the inner ones first, made by the function of its name; every section has one."""
    return re.sub(r"\n{3,}", "\n\n", _rendered(text, sections))


def _rendered(text: str, sections: Mapping[str, Section]) -> str:
    return _SECTION.sub(lambda found: sections[found["name"]](_rendered(found["body"], sections)), text)


def changed(changes: Mapping[str, str]) -> Section:
    """The section with every default replaced, all in one pass: a new value is never taken for another default."""

    def made(body: str) -> str:
        if absent := [default for default in changes if default not in body]:
            raise LookupError(f"the shipped file has no {absent}")
        return re.sub("|".join(map(re.escape, changes)), lambda found: changes[found[0]], body)

    return made if changes else as_it_is


def either(wanted: object) -> Section:
    """A section of commented lines: in force where it is `wanted`, else the comment that it is."""
    return in_force if wanted else as_it_is


def in_force(body: str) -> str:
    """Lines that are comments, as what they would say."""
    return re.sub(r"^( *)# ", r"\1", body, flags=re.MULTILINE)


def uncommented(body: str) -> str:
    """The lines of a commented-out block, without the prose above it."""
    return "".join(line.replace("# ", "", 1) for line in body.splitlines(keepends=True) if re.match(r" *# [ -]", line))


def as_it_is(body: str) -> str:
    """The section unchanged."""
    return body


def left_out(_: str) -> str:
    """Nothing."""
    return ""


def no_way_back(shipper: str, output: str) -> Section:
    """A comment that says which output leads back to the shipper."""
    told = _NO_WAY_BACK.format(shipper=shipper, output=output)
    return lambda body: textwrap.indent(told, " " * (len(body) - len(body.lstrip(" "))))
