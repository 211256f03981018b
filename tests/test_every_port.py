"""Every port and transport: 65,536 numbers times four through the map, the grade and the judge."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from portulan.judge import Namesakes, judge
from portulan.judge.rules import RULES
from portulan.model import PORTS, TRANSPORTS, Endpoint, Observation, Process, Verdict
from portulan.registry.grade import REGISTRATIONS
from portulan.registry.index import Index, open_index

if TYPE_CHECKING:
    from portulan.model import Transport

NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
SSHD = "/usr/sbin/sshd"
UNHEARD_OF = "/opt/unheard-of"
CHUNK = PORTS // 8
NARROW = 16

Pair = tuple[int, str]


class Holder:
    """Makes sockets that one program of root's holds, or nobody knows who. By place: names would double the time."""

    def __init__(self, executable: str | None) -> None:
        """Take the path of the program."""
        process = Process(812, "name", executable, None, "root", NOW, "present")
        owners = ((process,), None) if executable else ((), "not permitted")
        self._rest = None, "listen", *owners, None, None, None, None, "ipv4", None, None, 7, "root", "/"

    def of(self, local: Endpoint, transport: Transport) -> Observation:
        """Return the socket that holds a port."""
        return Observation(NOW, "pbx1", "live", "listen", transport, local, *self._rest)


def state_of(name: str, description: str) -> str:
    """Return what one row of IANA's makes of its pairs, by the words in it."""
    said = description.lower().strip("(")
    if said.startswith(("unassigned", "removed", "de-registered", "decomissioned", "de-commissioned")):
        return "unassigned"
    if name:
        return "assigned"
    return {"reserved": "reserved", "reserved - iana": "reserved", "deprecated": "unassigned"}.get(said, "assigned")


@pytest.fixture(scope="module")
def published(index: Index) -> tuple[dict[Pair, set[str]], dict[Pair, set[str]]]:
    """Return the states and the assigned names of each pair that IANA's table speaks of, from the table alone."""
    text = (files("portulan") / "registry" / "data" / "iana" / f"{index.snapshot}.csv").read_text("utf-8")
    states, names = defaultdict(set), defaultdict(set)
    for name, ports, transport, description, *_ in list(csv.reader(text.splitlines(keepends=True)))[1:]:
        first, _, last = ports.partition("-")
        for port in range(int(first), int(last or first) + 1) if first else ():
            for on in (transport,) if transport else ("tcp", "udp"):
                state = state_of(name, description)
                states[port, on].add(state)
                if state == "assigned" and name:
                    names[port, on].add(name)
    return states, names


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Return the map that came with the package, whatever this user has updated."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PORTULAN_DATA", str(tmp_path_factory.mktemp("data")))
        return open_index()


def check_verdict(verdict: Verdict, names: set[str]) -> None:
    """Assert what is true of every verdict: it follows the table of rules, and squats on what is assigned there."""
    assert (verdict.judgement, verdict.attention) == RULES[verdict.rule][1:]
    assert verdict.squats_on is None or verdict.squats_on in names
    assert verdict.because[0].kind == "registry"
    assert all(item.statement and item.source for item in verdict.because)
    assert sum(item.weight == "decides" for item in verdict.because) >= 1


@pytest.mark.parametrize("start", range(0, PORTS, CHUNK))
def test_every_port(index: Index, published: tuple[dict[Pair, set[str]], dict[Pair, set[str]]], start: int) -> None:
    """Each pair has the state that IANA's table gives it, a grade if assigned, and an explained verdict on anybody."""
    states, names = published
    rows = index.executables(SSHD)
    sshd_rows = {SSHD: Namesakes(rows)}
    served = {name for row in rows if row.distinct == "own" for name in row.services}
    assert "ssh" in served
    stranger, hidden, sshd = Holder(UNHEARD_OF), Holder(None), Holder(SSHD)
    for port in range(start, start + CHUNK):
        entry = index.entry(port)
        local = Endpoint("0.0.0.0", port)
        for transport in TRANSPORTS:
            pair = port, transport
            on = entry.on(transport)
            said = states.get(pair, set())
            expected = next((state for state in ("assigned", "reserved") if state in said), "unassigned")
            assert on.state == expected, pair
            assert (on.grade is not None) == bool(on.assignments) == (expected == "assigned"), pair
            assert on.grade is None or on.grade.registration in REGISTRATIONS
            there = names.get(pair, set())

            verdict = judge(entry, {}, stranger.of(local, transport))
            check_verdict(verdict, there)
            assert verdict.judgement == "unexplained", pair
            against = [use for use in entry.known_uses if use.transport == transport and use.relation != "malicious"]
            assert verdict.rule == "PT105" or against, pair
            narrow = [use for use in against if use.ports.last - use.ports.first < NARROW]
            assert verdict.rule == "PT105" or {use.relation for use in narrow} == {"unofficial"}, pair
            assert verdict.squats_on is None or verdict.rule == "PT104", pair

            verdict = judge(entry, {}, hidden.of(local, transport))
            check_verdict(verdict, there)
            assert (verdict.judgement, verdict.attention, verdict.squats_on) == ("unknown", "look", None), pair

            verdict = judge(entry, sshd_rows, sshd.of(local, transport))
            check_verdict(verdict, there)
            # sshd also holds what it is cited to forward: X11's numbers, from 6010 up.
            cited = any(use.product == "OpenSSH server" and use.relation == "registered" for use in against)
            assert (verdict.judgement == "registered") == (bool(served & there) or cited), pair
            assert verdict.attention == "ok" or (verdict.judgement == "unexplained" and against), pair
