"""Words of command lines with their lines, and variables with the values that a file gives them.

The quoting is that of a POSIX shell (POSIX.1-2024, Shell Command Language, sections 2.2, 2.3 and 2.6.2); systemd's and
dotenv's are near enough to it. Nothing is run: what a command prints is not known, and stays as it is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DEEPEST = 10
_LONGEST = 4_096
"""Characters of an expanded value: values that name values may double with each line."""
_TOKEN = re.compile(
    r"""(?P<continued>\\\n) | (?P<escaped>\\.) | (?P<single>'[^']*+'?) | (?P<double>"(?:\\.|[^"\\])*+"?)
    | (?P<comment>\#)
    | (?P<heredoc><<-?[ \t]*(?:"\w+"|'\w+'|\w+)) | (?P<end>[;&|()`\n]) | (?P<space>[^\S\n]+)
    | (?P<plain>[^\\'"\#<;&|()`\s]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"""\\(["\\`])""")
_NAME = re.compile(r"\w+")


class Word(Value):
    """A word of a command line, without its quotes, and the line on which it begins."""

    text: str
    line: int


def split_commands(text: str, line: int = 1) -> Iterator[list[Word]]:
    r"""Yield the simple commands of a script, without redirections' meaning, comments and here-documents.

    >>> [[word.text for word in command] for command in split_commands("PORT=1 run -p '2 3' # no\nthen; stop")]
    [['PORT=1', 'run', '-p', '2 3'], ['then'], ['stop']]
    """
    return _grouped(_tokens(text, line))


def split_words(text: str, line: int = 1) -> list[Word]:
    """Return the words of a line in which the operators of a shell, and `#`, are ordinary letters."""
    return [word for words in _grouped(_tokens(text, line, operators=False)) for word in words]


def _grouped(tokens: Iterable[tuple[str, str, int]]) -> Iterator[list[Word]]:
    words: list[Word] = []
    parts: list[str] = []
    began = 0
    for kind, part, at in tokens:
        if kind == "part":
            began = began or at
            parts.append(part)
            continue
        if began:
            words.append(Word("".join(parts), began))
            began = 0
            parts.clear()
        if kind == "end" and words:
            yield words
            words = []


def _tokens(text: str, line: int, *, operators: bool = True) -> Iterator[tuple[str, str, int]]:
    """Yield what a script consists of: parts of words, spaces and ends of commands, with their lines."""
    place = 0
    ends: list[str] = []
    between = True
    while match := _TOKEN.match(text, place):
        kind, part, place = match.lastgroup or "", match.group(), match.end()
        if not operators and kind in {"comment", "heredoc", "end"} and part != "\n":
            kind = "plain"
        if kind == "comment":
            if between:
                place = _find(text, "\n", place)
            else:
                yield "part", part, line
        elif kind == "heredoc":
            ends.append(part.lstrip("<-").strip("\"' \t"))
        elif kind in {"space", "end"}:
            yield kind, part, line
            between = True
        elif kind != "continued":
            yield "part", _unquote(kind, part), line
            between = False
        line += part.count("\n")
        if part == "\n" and kind == "end":
            for end in ends:
                after = _after_heredoc(text, place, end)
                line, place = line + text.count("\n", place, after), after
            ends.clear()
    yield "end", "", line


def _unquote(kind: str, part: str) -> str:
    r"""Return what a part is without its quotes; between double quotes a backslash may stand before \$"`."""
    if kind == "single":
        return part[1:].removesuffix("'")
    if kind == "double":
        return _ESCAPED.sub(r"\1", part[1:-1] if len(part) > 1 and part.endswith('"') else part[1:])
    return part[1:] if kind == "escaped" else part


def _find(text: str, what: str, place: int) -> int:
    found = text.find(what, place)
    return len(text) if found < 0 else found


def _close(text: str, place: int) -> int:
    """Return the place behind the brace that closes the one before `place`, on the same line; `place` if none does."""
    depth = 1
    for at in range(place, min(len(text), place + _LONGEST)):
        if text[at] == "\n":
            break
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at + 1
    return place


def _after_heredoc(text: str, place: int, end: str) -> int:
    while place < len(text):
        stop = _find(text, "\n", place)
        line, place = text[place:stop], stop + 1
        if line.strip("\t\r ") == end:
            break
    return min(place, len(text))


_OPERATORS = (":-", ":=", ":?", ":+", "-", "=", "?", "+")


def expand(
    text: str, values: Mapping[str, str], *, opening: str = "${", separators: tuple[str, ...] = _OPERATORS
) -> str:
    """Replace variables by their values, or by the defaults written beside them; others stay as they stand.

    `opening` is what begins one that ends with a brace; `$NAME` without braces is known where that is `${`. Spring
    and Caddy put a mere colon before a default.

    >>> expand("${A:-${B:-5443}} $C $$C ${D}", {"C": "80"})
    '5443 80 $C ${D}'
    >>> expand("${A:?not set} ${C:+81}", {"C": "80"})
    '${A:?not set} 81'
    >>> expand("{$PORT:5000}", {}, opening="{$", separators=(":",))
    '5000'
    """
    return _expand(text, values, opening, separators, _DEEPEST) if "$" in text and len(text) <= _LONGEST else text


def _expand(text: str, values: Mapping[str, str], opening: str, separators: tuple[str, ...], depth: int) -> str:
    out: list[str] = []
    length = place = 0
    while (start := text.find(opening[0], place)) >= 0 and length < _LONGEST:
        part, place = text[place:start], start
        if text.startswith("$$", place) and opening == "${":
            part, place = part + "$", place + 2
        elif text.startswith(opening, place):
            end = _close(text, place + 2)
            if end == place + 2:  # nothing closes it, nor what may begin behind it
                return "".join(out) + part + text[place:]
            inside = text[place + 2 : end - 1]
            part += _value_of(inside, values, opening, separators, depth - 1) if depth else text[place:end]
            place = end
        elif opening == "${" and (match := _NAME.match(text, place + 1)):
            part, place = part + values.get(match[0], match.string[place : match.end()]), match.end()
        else:
            part, place = part + text[place], place + 1
        out.append(part)
        length += len(part)
    return "".join(out) + text[place:]


def _value_of(inside: str, values: Mapping[str, str], opening: str, separators: tuple[str, ...], depth: int) -> str:
    """Return what stands for `NAME` or `NAME:-default`."""
    places = [(place, separator) for separator in separators if (place := inside.find(separator)) >= 0]
    if not places:
        return values.get(inside.strip(), f"{opening}{inside}}}")
    place, separator = min(places, key=lambda found: (found[0], -len(found[1])))
    known = values.get(inside[:place].strip())
    if separator[-1] == "?":  # a message for who did not set it
        return known or f"{opening}{inside}}}"
    word = _expand(inside[place + len(separator) :], values, opening, separators, depth)
    if separator[-1] == "+":  # what stands in the place of a value
        return word if known else ""
    return known if known or (known is not None and len(separator) == 1 and separator != ":") else word
