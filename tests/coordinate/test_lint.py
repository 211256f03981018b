"""Lint: what a careful person finds in three labelled corpora, what meets, what is let be, and what is quiet.

The labels were written before the first run, from what somebody who knows the systems would say of each published port;
the rules were then made on the same files, so the score says how well they agree, not how well they foretell. The files
in `careful` came last, in two parts, each unseen by the rules: of the first they foretold 36 of 49 labels, with 43
findings; of the second, when what the first had shown was mended, 24 of 27, with 28 findings.
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
CORPORA = {"careful": "labels.csv", "declared": "lint.csv", "lint": "labels.csv"}
"""Repositories as people have them; the corpus of the readers, which has hardly a hazard; and one that is made of
hazards and of what looks like one."""
LEAST = {"careful": (0.97, 0.92), "declared": (0.9, 0.75), "lint": (1, 0.94)}
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


def of_compose(tmp_path: Path, service: str, *ports: str) -> list[tuple[str, int]]:
    """Return what is found in a compose file with one service."""
    lines = "".join([f'      - "{port}"\n' for port in ports])
    return codes(written(tmp_path, compose__yaml=f"services:\n  {service}:\n    image: x\n    ports:\n{lines}").found)


def test_what_many_are_called_makes_nobody_at_home(tmp_path: Path) -> None:
    """A `server` is no OpenSSH server, and a `mysql-server` is MySQL."""
    assert of_compose(tmp_path, "server", "3306:8080") == [("H18", 3306)]
    assert of_compose(tmp_path, "mysql-server", "3306:8080") == []


def test_what_the_host_has_itself(tmp_path: Path) -> None:
    """A container may not have the number of sshd or of mDNS, at home or not; on another number it may."""
    assert of_compose(tmp_path, "gitea", "22:22") == [("H16", 22)]
    assert of_compose(tmp_path, "bridge", "5353:5353/udp") == [("H13", 5353), ("H16", 5353)]
    assert of_compose(tmp_path, "gitea", "2222:22") == []


@pytest.mark.parametrize("port", [10250, 10256])
@pytest.mark.parametrize("pod", ["hostNetwork: true", "restartPolicy: Always"])
def test_what_each_node_has_itself(tmp_path: Path, port: int, pod: str) -> None:
    """A pod that takes a number of the kubelet or kube-proxy on its node is told, by which way it may take it."""
    inside, outside = (port, "") if "true" in pod else (80, f", hostPort: {port}")
    text = (
        f"apiVersion: v1\nkind: Pod\nspec:\n  {pod}\n  containers:\n  - ports: [{{containerPort: {inside}{outside}}}]\n"
    )
    assert codes(written(tmp_path, pod__yaml=text).found) == [("H18", port)]


def test_what_is_inside_is_mostly_written_before(tmp_path: Path) -> None:
    """Of two numbers inside that are as near, the one before is behind the port of a host."""
    ports = "    - containerPort: 5432\n      hostPort: 3306\n    - containerPort: 3306\n"
    text = f"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - ports:\n{ports}"
    assert codes(written(tmp_path, pod__yaml=text).found) == [("H18", 3306)]


def test_what_guards_nothing_is_told_at_home_too(tmp_path: Path) -> None:
    """A debugger that others reach is told, not on loopback, nor where another product has the number."""
    assert of_compose(tmp_path, "api", "9229:9229") == [("H24", 9229)]
    assert of_compose(tmp_path, "docker", "2375:2375") == [("H24", 2375)]
    assert of_compose(tmp_path, "api", "127.0.0.1:9229:9229") == []
    assert of_compose(tmp_path, "flower", "5555:5555") == []
    assert written(tmp_path, Procfile="web: node --inspect=9229 a.js\n").found == ()


def test_the_pool_of_a_cluster_is_nobody_elses_matter(tmp_path: Path) -> None:
    """A compose file may have a number that Kubernetes would give out; a pod may not."""
    assert of_compose(tmp_path, "game", "30120:30120") == []
    text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - ports: [{containerPort: 80, hostPort: 30120}]\n"
    assert codes(written(tmp_path, pod__yaml=text).found) == [("H11", 30120)]


def test_the_reason_names_whose_it_is(tmp_path: Path) -> None:
    """The product that the number belongs to comes first, before others that came there later."""
    (found,) = written(tmp_path, Procfile="web: x --port 5672\n").found
    assert found.reason.startswith("RabbitMQ (documented)")


def test_browsers_are_no_matter_to_units(tmp_path: Path) -> None:
    """What a unit of systemd starts may be no web server; a Procfile's most likely is."""
    assert written(tmp_path, dns__socket="[Socket]\nListenStream=53\n").found == ()
    assert ("H15", 6667) in codes(written(tmp_path, Procfile="x: x --port 6667\n").found)


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


def test_many_numbers_come_to_an_end(tmp_path: Path) -> None:
    """A range of many numbers, several times over, is no square of them: the test's own limit ends what is."""
    lines = '      - "20000-40000:20000-40000"\n' * 4
    (tmp_path / "compose.yaml").write_text(f"services:\n  a:\n    image: x\n    ports:\n{lines}", "utf-8")
    found = lint(declared_in(tmp_path), open_index().entry)
    assert found.judged > 60_000
    assert ("H6", 32_768) in codes(found.found)
