"""The house: which room may import which. ARCHITECTURE.md shows the same table; here it is enforced.

An import counts wherever it stands: at the top, inside a function, under TYPE_CHECKING, relative or by name.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[1] / "src" / "portulan"

GROUND = {"model", "errors"}
ROOMS = {"registry", "observe", "identify", "scan", "judge", "coordinate", "census"}

MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "errors": set(),
    # strangers to one another
    "registry": GROUND,
    "observe": GROUND,
    "identify": GROUND,
    "scan": GROUND,
    "judge": GROUND,
    "coordinate": GROUND | {"registry"},
    "census": GROUND | {"registry", "judge", "observe"},
    "answer": GROUND | ROOMS - {"census"} | {"judging", "probed", "claimed"},
    # claims, joined with who holds their ports here
    "claimed": GROUND | {"observe", "judge", "coordinate"},
    # the judge with the map at hand
    "judging": GROUND | {"registry", "judge"},
    # what changes, joined with the map
    "watched": GROUND | ROOMS - {"census"} | {"answer", "judging"},
    # a policy, joined with the map and this machine
    "checked": GROUND | {"observe", "judge", "answer"},
    # a choice of ports, joined with the map and this machine
    "chosen": GROUND | {"registry", "observe", "coordinate"},
    # a choice that is claimed and bound
    "held": GROUND | {"observe", "coordinate", "chosen"},
    # the same for test suites
    "pytest_plugin": GROUND | {"coordinate", "held"},
    # what files declare, linted with the map and the policy
    "linted": GROUND | {"registry", "observe", "judge", "coordinate", "checked"},
    # a verdict as a chain of reasons
    "explained": GROUND | {"registry", "judge", "answer", "judging", "rulebook"},
    # what answers, joined with the map
    "probed": GROUND | ROOMS - {"census"},
    # what a scan finds, joined with the map and this machine
    "scanned": GROUND | ROOMS - {"census"} | {"probed", "whom"},
    # whom one may ask
    "whom": GROUND,
    # what an answer reads like: as JSON, and as one sentence
    "document": GROUND,
    "sentence": GROUND | {"judge"},
    # how to check a port by hand
    "byhand": GROUND,
    # what the rules mean: their pages
    "rulebook": GROUND | {"judge"},
    # strangers to one another
    "atlas": GROUND | ROOMS | {"answer", "document", "sentence", "byhand"},
    "cli": GROUND
    | ROOMS
    | {
        "answer",
        "judging",
        "document",
        "sentence",
        "byhand",
        "watched",
        "probed",
        "scanned",
        "checked",
        "chosen",
        "held",
        "linted",
        "explained",
        "whom",
        "rulebook",
        "atlas",
    }
    | {""},
    # import portulan: names that are fetched when they are asked for
    "": GROUND | ROOMS | {"answer", "document", "sentence", "watched", "probed", "checked", "held"},
    "__main__": {"cli"},
}
"""By room, or module directly under `portulan`; the empty name is `portulan/__init__.py`. A room may import itself."""

MAY_IMPORT_TYPES_OF: dict[str, set[str]] = {"judge": {"registry"}, "document": {"answer"}, "sentence": {"answer"}}
"""More rooms, under TYPE_CHECKING only."""

LAZY = {"portulan", "portulan.answer", "portulan.cli"}
"""Modules on every path: they import a room inside the function that needs it."""


class Import(NamedTuple):
    """One import of something in Portulan: where it stands, when it runs and what it names."""

    line: int
    when: Literal["module", "call", "types"]
    target: str


def module_of(path: Path) -> str:
    """Return the dotted name of a source file: `portulan.judge.rules`."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the room in which a module of Portulan stands; the empty name for the package itself."""
    return f"{module}.".split(".")[1]


def imports_of(tree: ast.AST, package: str) -> Iterator[Import]:
    """Yield every import of a module of Portulan in a syntax tree; relative ones start at `package`."""
    yield from _walk(tree, package, "module")


def _walk(node: ast.AST, package: str, when: Literal["module", "call", "types"]) -> Iterator[Import]:
    for name in _named(node, package):
        if name.split(".")[0] == "portulan":
            yield Import(getattr(node, "lineno", 0), when, name)
    if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        for statement in node.body:
            yield from _walk(statement, package, "types")
        for statement in node.orelse:
            yield from _walk(statement, package, when)
        return
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and when == "module":
        when = "call"
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, when)


def _named(node: ast.AST, package: str) -> list[str]:
    """Return the modules that one node imports; `from portulan import judge` names portulan.judge."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            start = package.split(".")
            base = ".".join(start[: len(start) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            if module == "portulan":
                # Not a room but a name of the package itself: its version, which is loaded wherever Portulan is.
                names = {alias.name for alias in node.names} - {"__version__"}
                return [f"portulan.{name}" for name in sorted(names)]
            return [module]
        case ast.Call(func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module")):
            first = node.args[0] if node.args else None
            return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
    return []


def violations(module: str, source: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield one line of explanation for each import in a module's source that the house does not allow."""
    room = room_of(module)
    if room not in MAY_IMPORT:
        yield f"1: no room `{room}` in the house"
        return
    package = module if is_package else module.rpartition(".")[0]
    for line, when, target in imports_of(ast.parse(source), package):
        other = room_of(target)
        allowed = MAY_IMPORT[room] | (MAY_IMPORT_TYPES_OF.get(room, set()) if when == "types" else set())
        if other == room:
            continue
        if other not in allowed:
            yield f"{line}: {module} imports {target}, and {room or 'portulan'} may import {sorted(allowed)}"
        elif module in LAZY and when == "module" and other not in GROUND:
            yield f"{line}: {module} imports {target} for everybody; import it in the function that needs it"


def test_no_import_goes_where_the_house_does_not_allow() -> None:
    """Rooms import downward only, strangers not at all, and the modules on every path import rooms lazily."""
    found = [
        f"{path.relative_to(SOURCE.parents[1])}:{violation}"
        for path in sorted(SOURCE.rglob("*.py"))
        for violation in violations(module_of(path), path.read_text("utf-8"), is_package=path.stem == "__init__")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "line"),
    [
        ("portulan.observe.linux", "import portulan.registry.index\n", 1),
        ("portulan.observe.linux", "from portulan.registry import index\n", 1),
        ("portulan.registry.index", "from portulan import observe\n", 1),
        ("portulan.registry.index", "def f():\n    from portulan.judge import judge\n", 2),
        ("portulan.identify.http", "from ..observe import survey\n", 1),
        ("portulan.identify.http", "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import portulan.registry\n", 3),
        ("portulan.judge.weigh", "from portulan.registry.index import open_index\n", 1),
        ("portulan.judge.weigh", "if TYPE_CHECKING:\n    pass\nelse:\n    import portulan.registry\n", 4),
        ("portulan.judge.weigh", "import importlib\nimportlib.import_module('portulan.observe')\n", 2),
        ("portulan.atlas.pages", "from portulan.cli import text\n", 1),
        ("portulan.answer", "from portulan.cli.page import render_page\n", 1),
        ("portulan.answer", "from portulan.registry.index import open_index\n", 1),
        ("portulan.cli", "from portulan.answer import ask\n", 1),
        ("portulan.model", "from portulan.errors import UsageError\n", 1),
        ("portulan.helpers", "", 1),
    ],
)
def test_a_planted_violation_is_caught(module: str, source: str, line: int) -> None:
    """The checker sees an import that is not allowed in every form it can take, and says where."""
    found = list(violations(module, source, is_package=module in LAZY and module != "portulan.answer"))
    assert len(found) == 1
    assert found[0].startswith(f"{line}: ")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("portulan.judge.weigh", "if TYPE_CHECKING:\n    from portulan.registry.index import Index\n"),
        ("portulan.judge.weigh", "from portulan.judge.rules import RULES\nfrom . import rules\n"),
        ("portulan.registry.update", "from portulan import __version__\n"),
        ("portulan.answer", "def ask():\n    from portulan.registry.index import open_index\n"),
        ("portulan.cli.machine", "from portulan.answer import machine\n"),
        ("portulan.census.tally", "import sqlite3\nfrom portulan.judge import judge\n"),
    ],
)
def test_what_the_house_allows_passes(module: str, source: str) -> None:
    """The checker does not cry wolf."""
    assert list(violations(module, source)) == []


def test_every_file_is_looked_at() -> None:
    """The walk covers the package: the nouns, the errors and at least one module of each room that exists."""
    modules = {module_of(path) for path in SOURCE.rglob("*.py")}
    assert {"portulan", "portulan.model", "portulan.errors"} <= modules
    assert {room_of(module) for module in modules} <= set(MAY_IMPORT)
