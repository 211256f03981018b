"""Values of Python's expressions with their lines, as far as they are written: nothing is run.

A value is a literal, a name that the module gives one, or the default of what asks the environment:
`os.environ.get("DB_PORT", "5433")`, `env.int("PORT", default=8000)`, `os.getenv("X") or "y"`.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from portulan.model import Value
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEEPEST = 20
_MOST = 100
"""How many values one expression may have: `a if x else b` has two."""
_LONGEST = 1_000
"""Characters of a string that is put together: each may have the one before twice."""
_UNKNOWN = "${python}"
"""What an expression is whose value is not written: no number, and a host all the same."""
_SAME = frozenset({"int", "str", "list", "tuple", "set", "Field"})
"""Functions whose first argument is what they return, for our purpose."""


class Text(Value):
    """A string or a number as text, and the line on which the number in it stands."""

    text: str
    line: int


def parse(text: str) -> ast.Module | Bad:
    """Parse a module; what is none is bad."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about somebody else's escapes
            return ast.parse(text)
    except SyntaxError as error:
        return Bad(error.lineno or 0, f"not Python: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Bad(0, f"not Python that is read: {type(error).__name__}")


def names_of(module: ast.Module) -> dict[str, list[Text]]:
    """Return what the names of a module are given, wherever they are."""
    names: dict[str, list[Text]] = {}
    for node in ast.walk(module):
        for target, value in assignments(node):
            if isinstance(target, ast.Name):
                names[target.id] = resolve(value, names)
    return names


def assignments(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """Return the targets of an assignment with their value; nothing of other nodes."""
    if isinstance(node, ast.Assign):
        return [(target, node.value) for target in node.targets]
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [(node.target, node.value)]
    return []


def resolve(node: ast.expr, names: Mapping[str, list[Text]], depth: int = _DEEPEST) -> list[Text]:
    """Return the values that an expression may have, as far as they are written."""
    if not depth:
        return []
    found: list[Text] = []
    match node:
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=str() | int() as value):
            found = [Text(str(value), node.lineno)]
        case ast.Name():
            found = names.get(node.id, [])
        case ast.IfExp():
            found = resolve(node.body, names, depth - 1) + resolve(node.orelse, names, depth - 1)
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            found = [text for part in parts[:_MOST] for text in resolve(part, names, depth - 1)]
        case ast.JoinedStr(values=parts):
            found = _joined(parts, names, depth - 1)
        case ast.BinOp(op=ast.Add()):
            found = _joined([node.left, node.right], names, depth - 1)
        case ast.Call():
            found = _called(node, names, depth - 1)
        case _:
            pass
    return found[:_MOST]


def _joined(parts: list[ast.expr], names: Mapping[str, list[Text]], depth: int) -> list[Text]:
    """Return the parts of a string put together, the first value of each; the number is in the last that has one."""
    line, texts = 0, []
    for part in parts:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        value = next(iter(resolve(inner, names, depth)), Text(_UNKNOWN, 0))
        texts.append(value.text)
        if not line or any(letter.isdigit() for letter in value.text):
            line = value.line or line
    whole = "".join(texts)
    return [Text(whole, line)] if line and len(whole) <= _LONGEST else []


def _called(call: ast.Call, names: Mapping[str, list[Text]], depth: int) -> list[Text]:
    """Return what a call falls back to."""
    default = default_of(call)
    if default is not None:
        return resolve(default, names, depth)
    function = terminal(call.func)
    if function in _SAME and call.args:
        return resolve(call.args[0], names, depth)
    if function in {"split", "strip"} and isinstance(call.func, ast.Attribute):
        return resolve(call.func.value, names, depth)
    # What is made of a URL is one: a connection, its settings.
    return [text for text in resolve(call.args[0], names, depth) if "://" in text.text] if call.args else []


def default_of(call: ast.Call) -> ast.expr | None:
    """Return the default in a call: by that name, or behind the name of what is asked for."""
    for keyword in call.keywords:
        if keyword.arg == "default":
            return keyword.value
    if len(call.args) > 1 and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
        return call.args[1]
    return None


def terminal(function: ast.expr) -> str:
    """Return the last name of what is called: `run` of `uvicorn.run`."""
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""
