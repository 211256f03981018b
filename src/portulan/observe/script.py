"""The script that an interpreter was told to run, as its command line has it.

Whoever starts a program chooses its command line, so this is a hint and never evidence. It is the first word that is
neither an option nor an option's value; where the program text is on the command line itself, or comes from a module or
from standard input, there is none.
"""

from __future__ import annotations

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Interpreter(Value):
    """How an interpreter reads its command line.

    `with_value` are options whose value is the next word; `instead` those after which no script comes; `before` those
    whose next word is the script, and the only ones if `only_before`. `verbs` may stand before the script. Letters that
    may be joined behind one dash: `ending` means as much as `instead`, and the rest of the word behind one of
    `attached` belongs to it.
    """

    with_value: frozenset[str] = frozenset()
    instead: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    only_before: bool = False
    verbs: frozenset[str] = frozenset()
    ending: str = ""
    attached: str = ""


_PYTHON = Interpreter(
    with_value=frozenset({"-W", "-X", "--check-hash-based-pycs"}),
    instead=frozenset({"-"}),
    ending="cm",
    attached="WX",
)
_SHELL = Interpreter(with_value=frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}), ending="cs")
_NODE = Interpreter(
    with_value=frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}),
    instead=frozenset({"-e", "--eval", "-p", "--print", "-pe", "--run", "-"}),
)

INTERPRETERS: dict[str, Interpreter] = {
    "python": _PYTHON,
    "pypy": _PYTHON,
    "node": _NODE,
    "nodejs": _NODE,
    "bun": Interpreter(instead=frozenset({"-e", "--eval", "-p", "--print"}), verbs=frozenset({"run"})),
    "deno": Interpreter(instead=frozenset({"eval", "repl"}), verbs=frozenset({"run", "serve"})),
    "perl": Interpreter(with_value=frozenset({"-I"}), ending="eE", attached="IMmDiFCVxd"),
    "ruby": Interpreter(with_value=frozenset({"-I", "-r", "-C", "-E"}), ending="e", attached="IrCEWKTix0F"),
    "php": Interpreter(
        with_value=frozenset({"-c", "-d", "-z", "-S", "-t"}),
        instead=frozenset({"-r", "-R", "-B", "-E", "-F", "-a", "--run"}),
        before=frozenset({"-f", "--file"}),
    ),
    "java": Interpreter(
        with_value=frozenset(
            {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules", "--add-opens"}
        ),
        instead=frozenset({"-m", "--module"}),
        before=frozenset({"-jar"}),
        only_before=True,
    ),
    "lua": Interpreter(with_value=frozenset({"-l"}), instead=frozenset({"-e", "-"})),
    "tclsh": Interpreter(),
    "bash": _SHELL,
    "dash": _SHELL,
    "sh": _SHELL,
    "ksh": _SHELL,
    "zsh": _SHELL,
}
"""By the name of the program, without the version behind it: python(1), node(1), perlrun(1), ruby(1), php(1), java(1),
lua(1), tclsh(1), bash(1), dash(1)."""


def find_script(executable: str, command_line: Sequence[str]) -> str | None:
    """Return the word of a command line that names an interpreter's script.

    >>> find_script("/usr/bin/python3.11", ("python3", "-W", "error", "app.py", "--port", "80"))
    'app.py'
    """
    interpreter = INTERPRETERS.get(executable.rpartition("/")[2].rstrip("0123456789.-"))
    if interpreter is None:
        return None
    words = iter(command_line[1:])
    for word in words:
        role = _role_of(word, interpreter)
        if role == "script":
            return None if interpreter.only_before else word
        if role == "before":
            return next(words, None)
        if role == "end":
            return None
        if role == "with value":
            next(words, None)
    return None


def _role_of(word: str, interpreter: Interpreter) -> str:
    """Say what a word does to the search: it is the script, stands before it, ends the search, takes the next word."""
    if word in interpreter.instead:
        return "end"
    if word in interpreter.before:
        return "before"
    if word == "--":
        return "end" if interpreter.only_before else "before"
    if word in interpreter.with_value:
        return "with value"
    if not word.startswith(("-", "+")):
        return "nothing" if word in interpreter.verbs else "script"
    return "nothing" if word.startswith("--") else _role_of_letters(word, interpreter)


def _role_of_letters(word: str, interpreter: Interpreter) -> str:
    """Say as much of options that are joined behind one dash."""
    for place, letter in enumerate(word[1:] if interpreter.ending else "", 2):
        if letter in interpreter.ending:
            return "end"
        if word[0] + letter in interpreter.with_value and place == len(word):
            return "with value"
        if letter in interpreter.attached:
            break
    return "nothing"
