"""Strict readers of the shippers' own configuration languages, so far as the shipped samples use them. What they do not know is an error.

Fluentd: sections and parameters, with comments and quoted strings. Logstash: sections, plugins, hashes, arrays, strings, conditionals.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

__all__ = ["Element", "Malformed", "Plugin", "fluentd", "logstash", "plugins"]


class Malformed(Exception):
    """Not a configuration of this language; the text says where."""


# --- Fluentd ---


@dataclass
class Element:
    """A section `<name arg>` with its parameters and the sections in it."""

    name: str
    arg: str = ""
    params: dict[str, str] = field(default_factory=dict)
    inner: list[Element] = field(default_factory=list)

    def all(self, name):
        return [one for one in self.inner if one.name == name]

    def one(self, name):
        (found,) = self.all(name)
        return found

    def walk(self, path=()):
        """(path of names, element) of this and of all in it."""
        here = (*path, self.name)
        yield here, self
        for one in self.inner:
            yield from one.walk(here)


_OPEN, _CLOSE = re.compile(r"<([a-zA-Z_]+)(?:\s+([^<>]+?))?\s*>"), re.compile(r"</([a-zA-Z_]+)>")
_PARAM = re.compile(r"(@?[a-z_]+)\s+(.+)")
_INSIDE = re.compile(r"#\{(?:ENV\['(\w+)'\]|(Socket\.gethostname))\}")


def fluentd(text, env=os.environ, hostname="this-host"):
    """The root of a configuration of Fluentd (v1); `#{…}` in double quotes is filled in for what the samples ask."""
    root = Element("ROOT")
    open_ = [root]
    for number, line in enumerate(text.splitlines(), 1):
        bare = _without_comment(line).strip()
        if not bare:
            continue
        if found := _CLOSE.fullmatch(bare):
            if len(open_) == 1 or open_.pop().name != found[1]:
                raise Malformed(f"{number}: {line}")
        elif found := _OPEN.fullmatch(bare):
            made = Element(found[1], found[2] or "")
            open_[-1].inner.append(made)
            open_.append(made)
        elif (found := _PARAM.fullmatch(bare)) and found[1] not in open_[-1].params and "<" not in bare:
            open_[-1].params[found[1]] = _value(found[2], env, hostname, number)
        else:
            raise Malformed(f"{number}: {line}")
    if len(open_) > 1:
        raise Malformed(f"<{open_[-1].name}> is not closed")
    return root


def _without_comment(line):
    """The line without what stands behind a `#` that begins a comment: at its start, or behind a blank and outside quotes."""
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == "#" and not quoted and (at == 0 or line[at - 1] in " \t"):
            return line[:at]
    return line


def _value(text, env, hostname, number):
    if text.startswith('"'):
        if not re.fullmatch(r'"[^"]*"', text):
            raise Malformed(f"{number}: {text}")
        made = _INSIDE.sub(lambda found: env[found[1]] if found[1] else hostname, text[1:-1])
        if "#{" in made:
            raise Malformed(f"{number}: {text}")
        return made
    if '"' in text:
        raise Malformed(f"{number}: {text}")
    return text


# --- Logstash ---


@dataclass
class Plugin:
    """`name { option => value … }` in one of the three kinds of sections, behind the conditions that stand around it."""

    kind: str
    name: str
    options: dict
    conditions: tuple[str, ...] = ()


_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<arrow>=>)|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<operator>==|!=|<=|>=|<|>|=~|!~)|(?P<selector>(?:\[[^\[\]\s,"]+\])+)|(?P<word>@?[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign>[{}\[\]()!,])"""
)
_VARIABLE = re.compile(r"\$\{(\w+)(?::([^}]*))?\}")


def logstash(text, env=os.environ):
    """[(kind of section, its statements)]; a statement is a `Plugin` or ("branch", [(condition, statements)])."""
    return _Logstash(text, env).whole()


def plugins(sections):
    """Every plugin of a configuration that `logstash` gave, in order, with its conditions."""
    found = []

    def walk(statements, conditions):
        for one in statements:
            if isinstance(one, Plugin):
                one.conditions = conditions
                found.append(one)
            else:
                for condition, inner in one[1]:
                    walk(inner, (*conditions, condition))

    for _, statements in sections:
        walk(statements, ())
    return found


class _Logstash:
    def __init__(self, text, env):
        self._tokens, self._env, at = [], env, 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise Malformed(f"{text.count(chr(10), 0, at) + 1}: {text[at : at + 20]!r}")
            if found.lastgroup != "blank":
                self._tokens.append((found.lastgroup, found[0], text.count("\n", 0, at) + 1))
            at = found.end()
        self._at = 0

    def _peek(self):
        return self._tokens[self._at][:2] if self._at < len(self._tokens) else ("end", "")

    def _next(self, *wanted):
        kind, text = self._peek()
        if self._at == len(self._tokens) or (wanted and text not in wanted and kind not in wanted):
            line = self._tokens[min(self._at, len(self._tokens) - 1)][2] if self._tokens else 1
            raise Malformed(f"{line}: expected {' or '.join(wanted)}, found {text!r}")
        self._at += 1
        return text

    def whole(self):
        made = []
        while self._peek()[0] != "end":
            kind = self._next("input", "filter", "output")
            made.append((kind, self._block(kind)))
        return made

    def _block(self, kind):
        self._next("{")
        made = []
        while self._peek()[1] != "}":
            made.append(self._branch(kind) if self._peek() == ("word", "if") else self._plugin(kind))
        self._next("}")
        return made

    def _plugin(self, kind):
        name = self._next("word")
        if name == "else":
            raise Malformed("an else without its if")
        self._next("{")
        options = {}
        while self._peek()[1] != "}":
            key = self._next("word", "string")
            self._next("=>")
            if key in options:
                raise Malformed(f"{key} is given twice")
            options[key] = self._value(kind)
        self._next("}")
        return Plugin(kind, name, options)

    def _value(self, kind):
        token, text = self._peek()
        if text == "{":
            return self._hash(kind)
        if text == "[":
            return self._array(kind)
        if token == "selector":  # an array of one bare word looks like one
            raise Malformed(f"a field where a value is expected: {text}")
        self._next("string", "number", "word")
        if token == "word" and self._peek()[1] == "{":  # a codec with options
            self._at -= 1
            return self._plugin("codec")
        return self._plain(token, text)

    def _plain(self, token, text):
        if token == "number":
            return float(text) if "." in text else int(text)
        if token == "word":
            return {"true": True, "false": False}.get(text, text)
        return _VARIABLE.sub(lambda found: self._env[found[1]] if found[2] is None else self._env.get(found[1], found[2]), text[1:-1])

    def _hash(self, kind):
        self._next("{")
        made = {}
        while self._peek()[1] != "}":
            key = self._plain(self._peek()[0], self._next("string", "word", "number"))
            self._next("=>")
            made[key] = self._value(kind)
        self._next("}")
        return made

    def _array(self, kind):
        self._next("[")
        made = []
        while self._peek()[1] != "]":
            made.append(self._value(kind))
            if self._peek()[1] != "]":
                self._next(",")
        self._next("]")
        return made

    def _branch(self, kind):
        arms = []
        self._next("if")
        arms.append((self._condition(), self._block(kind)))
        while self._peek() == ("word", "else"):
            self._next("else")
            if self._peek() == ("word", "if"):
                self._next("if")
                arms.append((self._condition(), self._block(kind)))
            else:
                arms.append(("else", self._block(kind)))
                break
        return ("branch", arms)

    def _condition(self):
        made = [self._term()]
        while self._peek()[1] in ("and", "or", "xor", "nand"):
            made.append(self._next())
            made.append(self._term())
        return " ".join(made)

    def _term(self):
        if self._peek()[1] == "!":
            return self._next() + self._term()
        if self._peek()[1] == "(":
            self._next("(")
            inner = self._condition()
            self._next(")")
            return f"({inner})"
        left = self._operand()
        token, text = self._peek()
        if token == "operator" or text == "in":
            return f"{left} {self._next()} {self._operand()}"
        if text == "not":
            self._next("not")
            return f"{left} not {self._next('in')} {self._operand()}"
        return left

    def _operand(self):
        token, text = self._peek()
        if text == "[":
            return str(self._array("condition"))
        return self._next("selector", "string", "number") if token != "word" else self._next("nothing else")
