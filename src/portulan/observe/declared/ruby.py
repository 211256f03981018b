"""Statements of Ruby as their words and literals: enough to read what a configuration says, without running it.

A string between double quotes has what stands in its `#{...}` replaced by the default that is written there. A list of
words, `%w(a b)`, is the list of these strings. What a document within the text (`<<~EOS`) or a regular expression says
is passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<words>%[wWiI](?:\([^()]*+\)|\[[^\[\]]*+\]|\{[^{}]*+\}|<[^<>]*+>|\|[^|]*+\|))
    | (?P<pattern>(?<=[\s(,{=~])/(?![\s=])(?:\\.|\[(?:\\.|[^\]\\\n]){0,200}+\]|[^/\[\\\n])*+/[a-z]*)
    | (?P<double>"(?:\\.|\#\{(?:[^{}]|\{[^{}]*+\})*+\}|[^"\\])*+"?)
    | (?P<single>'(?:\\.|[^'\\])*+'?)
    | (?P<number>\d[\d_]*(?![\w.])) | (?P<word>:?[A-Za-z_]\w*(?:[?!]|:(?!:))?) | (?P<space>[^\S\n]+)
    | (?P<mark>\|\|=?|.)""",
    re.VERBOSE | re.DOTALL,
)
_DOCUMENTATION = re.compile(r"^=begin\b.*?(?:^=end\b|\Z)", re.MULTILINE | re.DOTALL)
_DOCUMENT = re.compile(
    r"<<[~-](['\"]?)([A-Za-z_]\w*)\1(?P<rest>[^\n]*)(?P<body>\n.*?)(?:^[ \t]*\2\b|\Z)", re.MULTILINE | re.DOTALL
)
_WORD = re.compile(r"\S+")
_INTERPOLATED = re.compile(r"\#\{((?:[^{}]|\{[^{}]*+\})*+)\}")
_UNKNOWN = "${ruby}"
"""What an expression is whose value is not written: no number, and a host all the same."""


class Token(Value):
    """A word, a mark or a literal (`kind` string or number), and its line."""

    kind: str
    text: str
    line: int


def statements(text: str) -> Iterator[list[Token]]:
    """Yield the statements of a text: they end with a line, unless something is open or it goes on."""
    statement: list[Token] = []
    depth = 0
    for token in _tokens(text):
        if token.text == "\n" and token.kind == "mark":
            if depth <= 0 and statement and statement[-1].text not in {",", "||", "=", "+"}:
                yield statement
                statement, depth = [], 0
            continue
        if token.kind == "mark":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        statement.append(token)
    if statement:
        yield statement


def _tokens(text: str) -> Iterator[Token]:
    text = _DOCUMENTATION.sub(lambda match: "\n" * match[0].count("\n"), text)
    text = _DOCUMENT.sub(lambda match: f"''{match['rest']}" + "\n" * match["body"].count("\n"), text)
    line = 1
    for match in _TOKEN.finditer(text):
        kind, part = match.lastgroup or "", match.group()
        if kind in {"double", "single"}:
            inside = part[1:-1] if len(part) > 1 and part[-1] == part[0] else part[1:]
            value = _INTERPOLATED.sub(lambda found: default_of(found[1]), inside) if kind == "double" else inside
            yield Token("string", value, line)
        elif kind == "words":
            yield Token("mark", "[", line)
            for word in _WORD.finditer(part, 3, len(part) - 1):
                yield Token("string", word[0], line + part.count("\n", 0, word.start()))
            yield Token("mark", "]", line)
        elif kind not in {"comment", "pattern", "space"}:
            yield Token(kind, part, line)
        line += part.count("\n")


def default_of(expression: str) -> str:
    """Return the literal that an expression falls back to.

    >>> default_of("ENV.fetch('PORT') { 3000 }"), default_of('ENV["A"] || "b"'), default_of("request.port")
    ('3000', 'b', '${ruby}')
    """
    found = literals(list(_tokens(expression)))
    return found[0].text if found else _UNKNOWN


def literals(tokens: Sequence[Token]) -> list[Token]:
    """Return the strings and numbers of a statement, but for the names of variables of the environment."""
    found: list[Token] = []
    for place, token in enumerate(tokens):
        before = [other.text for other in tokens[max(place - 4, 0) : place]]
        is_name = before[-2:] in (["ENV", "["], ["fetch", "("]) or before[-1:] == ["fetch"]
        if token.kind in {"string", "number"} and not is_name:
            found.append(
                Token(token.kind, token.text.replace("_", "") if token.kind == "number" else token.text, token.line)
            )
    return found
