"""Configurations in JavaScript and TypeScript, as far as they are literals: values with the keys that lead to them.

The text is split into the tokens of ECMA-262 (section 12, lexical grammar) and nothing is run. Of an expression each
number in it counts, since it may be the value: `process.env.PORT || 3000`, `dev ? 4330 : 4331`, and in
`parseInt(x ?? "80", 10)` 80, for 10 is the base.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import Value
from portulan.observe.declared.positions import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"(?P<skipped>\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)"
    r"|(?P<text>'(?:[^'\\\n]|\\.){0,1000}+'|\"(?:[^\"\\\n]|\\.){0,1000}+\"|`(?:[^`\\]|\\.){0,4000}+`)"
    r"|(?P<name>[A-Za-z_$][\w$]*+)|(?P<number>[0-9][\w.]*+)|(?P<sign>=>|[=!]==?|\?\?|\|\||&&|.)",
    re.DOTALL,
)
_PATTERN = re.compile(r"/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.){0,200}+\]){1,1000}+/[a-z]*")
_BEFORE_PATTERN = frozenset({"(", ",", "=", ":", "[", "!", "&&", "||", "?", "{", "}", ";", "=>", "return"})
_BEGINS = frozenset({"const", "export", "function", "if", "import", "let", "module", "return", "throw", "type", "var"})
"""Words that begin a statement, where no semicolon ended the one before."""


class Token(Value):
    """A token, and the line on which it begins; the kinds are text, name, number and sign."""

    kind: str
    text: str
    line: int


class Setting(Value):
    """A text, number or name, and the keys that lead to it, the names of methods among them.

    `assigned` tells that the last of them is a variable.
    """

    path: tuple[str, ...]
    value: Token
    assigned: bool


def tokens_of(text: str) -> Iterator[Token]:
    """Yield the tokens of a program, without comments and regular expressions; texts lose their quotes."""
    place, line, before = 0, 1, "("
    while place < len(text):
        pattern = _PATTERN.match(text, place) if text[place] == "/" and before in _BEFORE_PATTERN else None
        match = pattern if pattern and text[place + 1 : place + 2] not in {"/", "*"} else _TOKEN.match(text, place)
        if match is None:  # there is no such letter: the last alternative takes any
            return
        place = match.end()
        kind, found = (match.lastgroup, match[0]) if match is not pattern else ("skipped", match[0])
        if kind not in {None, "skipped"}:
            yield Token(kind, found[1:-1] if kind == "text" else found, line)
            before = found
        line += found.count("\n")


def settings_of(text: str) -> Iterator[Setting]:
    """Yield the values of a program's objects, and of assignments to variables and properties."""
    end = Token("sign", ";", 0)
    tokens = [end, *tokens_of(text), end]
    frames = [_Frame()]
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        frame = frames[-1]
        if token.kind == "sign":
            _follow(frames, before, token)
        elif token.text in _BEGINS and token.kind == "name":
            frame.key, frame.assigned = (), False
        elif frame.opening == "{" and before.text in {"{", ",", "async"} and after.text in {":", "("}:
            frame.key, frame.assigned = (token.text,), False
        elif after.text == "=" and token.kind == "name":
            frame.key, frame.assigned = (*frame.chain, token.text), not frame.chain
            frame.chain = ()
        elif after.text == "." and token.kind == "name":
            frame.chain = (*frame.chain[-DEEPEST:], token.text)
        elif frame.opening == "{" and before.text in {"{", ","} and after.text in {",", "}"}:
            yield Setting((*_path(frames[:-1]), token.text), token, assigned=False)  # `{ port }` is `{ port: port }`
        elif not (frame.commas and frame.callee == "parseInt"):
            frame.chain = ()
            yield Setting(_path(frames), token, frame.assigned)


class _Frame:
    """What lies between brackets: how they open and after what, and what is being set there."""

    def __init__(self, opening: str = "", callee: str = "") -> None:
        self.opening = opening
        self.callee = callee
        self.commas = 0
        self.key: tuple[str, ...] = ()
        self.chain: tuple[str, ...] = ()
        self.assigned = False


def _follow(frames: list[_Frame], before: Token, token: Token) -> None:
    """Keep the frames up to date with a sign."""
    frame = frames[-1]
    if token.text in {"(", "[", "{"}:
        frames.append(_Frame(token.text, before.text))
    elif token.text in {")", "]", "}"}:
        if len(frames) > 1:
            frames.pop()
    elif token.text == ",":
        frame.commas += 1
    if token.text == ";" or (token.text == "," and frame.opening == "{"):
        frame.key, frame.assigned = (), False
    if token.text != ".":
        frame.chain = ()


def _path(frames: list[_Frame]) -> tuple[str, ...]:
    return tuple([key for frame in frames[:DEEPEST] for key in frame.key])
