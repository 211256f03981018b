"""Lint: what a careful person finds in two labelled corpora, what meets, what is let be, and what is quiet.

The labels were written before the first run, from what somebody who knows the systems would say of each published port;
the rules were then made on the same files, so the score says how well they agree, not how well they foretell.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pytest

from portulan.coordinate.lint import Allowance, Declared, Found, Linted, lint
from portulan.model import Observation, PortRange
from portulan.observe.declared import open_declared
from portulan.registry.index import open_index

DATA = Path(__file__).parents[1] / "data"
CORPORA = {"declared": "lint.csv", "lint": "labels.csv"}
"""The corpus of the readers, which has hardly a hazard, and one that is made of hazards and of what looks like one."""
LEAST = {"declared": (0.9, 0.65), "lint": (0.9, 0.9)}
"""Precision and recall, which are not to fall."""

Mark = tuple[str, int, int, str]


def declared_in(folder: Path) -> list[Declared]:
    """Return what the files of a folder declare."""
    found = []
    for source, reader in open_declared(folder):
        with source:
            found += [Declared(reader.FORMAT, one) for one in reader.read(source) if isinstance(one, Observation)]
    return found


@cache
def linted(corpus: str, case: str) -> Linted:
    """Lint a case."""
    return lint(declared_in(DATA / corpus / case), open_index().entry)


def written(tmp_path: Path, **files: str) -> Linted:
    """Lint files with these texts."""
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text, "utf-8")
    return lint(declared_in(tmp_path), open_index().entry)


def marks(corpus: str) -> set[Mark]:
    """Return what is found in all cases of a corpus."""
    root = DATA / corpus
    return {
        (str(Path(one.file).relative_to(root)), one.line, one.port, one.code)
        for case in sorted(path.name for path in root.iterdir() if path.is_dir())
        for one in linted(corpus, case).found
    }


def labels(corpus: str) -> set[Mark]:
    """Return what a careful person finds in it."""
    with (DATA / corpus / CORPORA[corpus]).open(encoding="utf-8", newline="") as rows:
        return {(f"{r['case']}/{r['file']}", int(r["line"]), int(r["port"]), r["code"]) for r in csv.DictReader(rows)}


@pytest.mark.parametrize("corpus", sorted(CORPORA))
def test_it_finds_what_a_careful_person_finds(corpus: str) -> None:
    """Of both corpora precision and recall are what they were, or better."""
    found, wanted = marks(corpus), labels(corpus)
    right = len(found & wanted)
    score = right / len(found), right / len(wanted)
    assert all(one >= least for one, least in zip(score, LEAST[corpus], strict=True)), (
        f"{score}: false {sorted(found - wanted)}, missing {sorted(wanted - found)}"
    )


@pytest.mark.parametrize("case", ["quiet", "alternatives"])
def test_what_everybody_does_is_quiet(case: str) -> None:
    """Servers at home, a developer's own defaults, what is dialled, and files that stand in for one another."""
    assert linted("lint", case).found == ()


def codes(found: tuple[Found, ...]) -> list[tuple[str, int]]:
    """Return codes and numbers."""
    return [(one.code, one.port) for one in found]


def test_services_meet_on_a_number_and_alternatives_do_not() -> None:
    """Two services of a project on one number, and a number in another's range; not other addresses or profiles."""
    assert codes(linted("lint", "collide").found) == [("H21", 8080), ("H21", 8303)]
    assert "web has 8080/tcp as well" in linted("lint", "collide").found[0].reason


def test_an_override_is_the_same_project() -> None:
    """A service and its override are one; another service of the override meets it, and is the one that is told."""
    (found,) = [one for one in linted("lint", "override").found if one.code == "H21"]
    assert found.file.endswith("compose.override.yaml")


def test_tests_choose_nothing() -> None:
    """What goss and InSpec expect to be there is no declaration of a port."""
    assert linted("declared", "goss-node").judged == 0
    assert linted("declared", "inspec-profile").judged == 0


def test_numbers_of_a_line_are_told_once(tmp_path: Path) -> None:
    """A range with a hazard is one finding, which counts its numbers."""
    text = 'services:\n  a:\n    image: x\n    ports: ["50100-50109:100-109"]\n'
    (found,) = written(tmp_path, compose__yaml=text).found
    assert (found.code, found.port, found.count) == ("H6", 50100, 10)


@pytest.mark.parametrize(
    ("allowance", "lets_be"),
    [
        (Allowance(("H6",), (), (), "why", 1, 1), True),
        (Allowance((), (PortRange(50000, 50200),), (), "why", 1, 1), True),
        (Allowance(("H6",), (PortRange(50100, 50100),), ("compose.yaml",), "why", 1, 1), True),
        (Allowance((), (), ("comp*.yaml",), "why", 1, 1), True),
        (Allowance(("H15",), (), (), "why", 1, 1), False),
        (Allowance((), (PortRange(1, 50000),), (), "why", 1, 1), False),
        (Allowance(("H6",), (), ("other.yaml",), "why", 1, 1), False),
    ],
)
def test_what_is_let_be(tmp_path: Path, allowance: Allowance, lets_be: bool) -> None:  # noqa: FBT001  # a column of the table
    """An allowance lets be what all its parts are about; one that nothing needs is told."""
    (tmp_path / "compose.yaml").write_text('services:\n  a:\n    image: x\n    ports: ["50100:100"]\n', "utf-8")
    found = lint(declared_in(tmp_path), open_index().entry, (allowance,))
    assert (not found.found) is lets_be
    assert [by for _, by in found.allowed] == ([allowance] if lets_be else [])
    assert found.idle == (() if lets_be else (allowance,))
