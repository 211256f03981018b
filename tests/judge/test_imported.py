"""What somebody else saw: the same rules, and no statement that Portulan looked at that machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan import judging
from portulan.judge.weigh import decisive
from portulan.judging import Judging, Veil
from portulan.model import Declaration, Observation, Process, replace
from tests.judge.situations import answers, judged, process, short, socket

if TYPE_CHECKING:
    from portulan.model import Identification, ProcessesMissing
    from portulan.registry.index import Index


def imported(port: int, *processes: Process, direction: str = "listen", **changes: object) -> Observation:
    """Return a socket that somebody else saw."""
    seen = socket(direction, port, *processes)
    missing = None if processes else "not recorded"
    return replace(seen, perspective="imported", processes_missing=missing, **changes)


def asked(protocol: str, port: int, *service_names: str, by: str = "nmap probed it") -> Identification:
    """Return what a tool found by asking."""
    return replace(answers(protocol, port, *service_names), reasons=(by,))


@pytest.mark.parametrize(
    ("protocol", "port", "names", "expected"),
    [
        ("ssh", 22, (), ("registered", "ok", None)),
        ("http", 8080, ("http", "http-alt"), ("registered", "ok", None)),
        ("ssh", 2528, (), ("elsewhere", "ok", "ncr-ccl")),
        ("http", 22, (), ("elsewhere", "investigate", "ssh")),
        ("http", 9443, ("https",), ("known-unofficial", "ok", "tungsten-https")),
    ],
)
def test_what_a_scanner_found_decides(
    index: Index, protocol: str, port: int, names: tuple[str, ...], expected: tuple[str, str, str | None]
) -> None:
    """What a tool found to answer decides as a probe of Portulan's own would; who asked is the source."""
    judge = Judging(index, Veil(with_command_lines=False))
    verdict = judge(imported(port, identification=asked(protocol, port, *names)))
    assert short(verdict) == expected
    (decisive,) = [item for item in verdict.because if item.weight in {"decides", "contradicts"}]
    assert decisive.source == "nmap probed it"
    assert decisive.statement == f"what answered there spoke {protocol}"
    assert {item.weight for item in verdict.because if item.kind == "process"} == {"context"}


@pytest.mark.parametrize(
    ("missing", "statement"),
    [
        ("not recorded", "whoever recorded it did not say who holds it"),
        ("not permitted", "its owner could not be read"),
        ("no process holds it", "no process holds this socket"),
    ],
)
def test_why_no_owner_is_known(index: Index, missing: ProcessesMissing, statement: str) -> None:
    """That no owner is known is said of the record, and not of this machine."""
    verdict = judged(index, replace(imported(2528), processes_missing=missing))
    decisive = next(item for item in verdict.because if item.weight == "decides")
    assert decisive.statement.startswith(statement)
    assert decisive.source == "imported"


def test_a_name_without_a_file(index: Index) -> None:
    """A record that names a process and not its file leaves the socket unknown: names prove nothing."""
    verdict = judged(index, imported(22, Process(812, "sshd", None, None, None, None)))
    assert short(verdict) == ("unknown", "look", None)
    decisive = next(item for item in verdict.because if item.weight == "decides")
    assert decisive.statement == "sshd held it; whoever recorded it did not say from which file that ran"
    assert decisive.source == "imported"


def test_advice_says_where(index: Index) -> None:
    """What to look at next lies on the machine that the record is of."""
    verdict = judged(index, imported(8000, process("/usr/bin/python3.11")))
    assert verdict.advice is not None
    assert verdict.advice.endswith("ps -ww -o args -p 812, on the machine that it was seen on")
    live = judged(index, socket("listen", 8000, process("/usr/bin/python3.11")))
    assert live.advice is not None
    assert live.advice.endswith("ps -ww -o args -p 812")


def test_provenance_that_was_recorded(index: Index) -> None:
    """Where a program comes from, as another run of Portulan found it, has the record for its source."""
    verdict = judged(index, imported(22, process("/usr/sbin/sshd", package="openssh-server", executable_intact=True)))
    sources = {item.source for item in verdict.because if item.kind == "process"}
    assert sources == {"imported"}


def test_observations_that_are_alike_are_told_apart(index: Index) -> None:
    """What a file declares on two lines, and what answered two sockets, is said of each."""
    judge = Judging(index, Veil(with_command_lines=False))
    declared = replace(imported(8080), perspective="declared")
    lines = [judge(replace(declared, declaration=Declaration("a.yml", line, "published"))) for line in (1, 2)]
    assert [next(e.source for e in v.because if e.weight == "decides") for v in lines] == ["a.yml:1", "a.yml:2"]
    spoken = [judge(imported(2528, identification=asked(protocol, 2528))) for protocol in ("smtp", "ssh")]
    assert len({verdict.because[-1].statement for verdict in spoken}) == 2


def test_the_short_of_a_verdict_is_that_of_the_whole(index: Index) -> None:
    """A table shows the rule and the reason of the whole verdict, also where somebody found out what answers."""
    judge = Judging(index, Veil(with_command_lines=False))
    for protocol, port in (("ssh", 22), ("ssh", 2528), ("http", 22), ("smtp", 25)):
        seen = imported(port, identification=asked(protocol, port))
        whole, short_of = judge(seen), judge.glance(seen).ruling
        assert (whole.rule, whole.attention) == (short_of.rule, short_of.attention)
        assert short_of.because == decisive(whole.because)


def test_what_is_kept_is_bounded(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Millions of different owners leave no trace, and the verdicts are those of each alone."""
    monkeypatch.setattr(judging, "KEPT", 5)
    veil = Veil(with_command_lines=False)
    judge = Judging(index, veil)
    for number in range(50):
        seen = imported(22, replace(process("/usr/sbin/sshd" if number % 2 else f"/opt/{number}"), pid=number + 1))
        verdict = judge(seen)
        assert verdict.judgement == ("registered" if number % 2 else "unexplained")
        assert len(judge._weighed) <= 5
        assert len(judge._catalogue) <= 5
        assert len(veil._hidden) <= 5
