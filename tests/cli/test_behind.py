"""What is behind a socket, as the page and the list show it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.answer import Answer
from portulan.cli.machine import JUDGED, Cells
from portulan.cli.page import worst
from portulan.cli.sockets import render_territory
from portulan.cli.terminal import Style
from portulan.document import plain
from portulan.model import Endpoint, Observation, PortRange, Process, Redirect, replace
from portulan.sentence import sentence
from tests.strategies import observations

if TYPE_CHECKING:
    from portulan.model import Verdict

ID = "0123456789abcdef" * 4
NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
RULE = Redirect(
    "172.17.0.2", 8080, "nftables", "ip nat DOCKER: tcp dport 80 dnat to 172.17.0.2:8080", PortRange(80, 80)
)
PLAIN = Observation(
    observed_at=NOW,
    host="here",
    perspective="live",
    direction="listen",
    transport="tcp",
    local=Endpoint("0.0.0.0", 80),
    peer=None,
    socket_state="listen",
    processes=(Process(7, "nginx", "/usr/sbin/nginx", None, "root", NOW, "present"),),
    processes_missing=None,
    unit=f"docker-{ID}.scope",
    container=ID,
    package=None,
    network_namespace=None,
)
OUTGOING = " for connections from this machine"
TAKEN = replace(
    PLAIN,
    processes=(),
    processes_missing="no process holds it",
    socket_state="redirected",
    unit=None,
    container=None,
    redirect=RULE,
)


def page(*seen: Observation, verdicts: tuple[Verdict, ...] | None = None) -> str:
    """Render who is there, a line a statement."""
    style = Style(io.StringIO())
    style.width = 200
    return render_territory(Answer("80", 80, None, "system", None, seen, verdicts, ()), style)


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ((None, None, None), "container 0123456789ab"),
        (("docker", None, None), "container 0123456789ab (docker)"),
        (("docker", "web", None), "container web (docker)"),
        (("docker", "web", "nginx:1.25"), "container web (docker, nginx:1.25)"),
    ],
)
def test_a_container_on_the_page(facts: tuple[str | None, str | None, str | None], shown: str) -> None:
    """A container is shown by its name, or its id where that is not known, with what is known beside it."""
    runtime, name, image = facts
    text = page(replace(PLAIN, container_runtime=runtime, container_name=name, container_image=image))
    assert text.endswith(shown)


def test_a_container_in_the_list() -> None:
    """The list shows the name of a container in place of the unit, which has only its id."""
    assert Cells(short=True).of(replace(PLAIN, container_name="web"))[-1] == "container web"
    assert Cells(short=True).of(replace(PLAIN, unit=None))[-1] == "container 0123456789ab"


def test_an_activated_service() -> None:
    """The page says which service systemd starts, unless that is the unit it has said already."""
    seen = replace(PLAIN, unit="ssh.socket", container=None, activates="ssh.service")
    assert page(seen).endswith("systemd starts ssh.service for it")
    assert "starts" not in page(replace(seen, unit="ssh.service"))


def test_a_port_of_a_rule() -> None:
    """A port that a rule takes has no owner to be missed: where it leads is said instead."""
    text = page(TAKEN)
    assert text.startswith("  takes tcp 0.0.0.0:80 (redirected)")
    assert "owner" not in text
    assert text.endswith(f"passed on to 172.17.0.2:8080 by nftables: {RULE.rule}")
    assert "(passed on to 172.17.0.2:8080)" in Cells(short=True).of(TAKEN)
    here = replace(RULE, address=None)
    assert "passed on to port 8080 of this machine by" in page(replace(TAKEN, redirect=here))
    assert "passed on to this machine itself by" in page(replace(TAKEN, redirect=replace(here, port=None)))
    assert "passed on to [fd00::1]:8080 by" in page(replace(TAKEN, redirect=replace(RULE, address="fd00::1")))
    assert "passed on to fd00::1 by" in page(replace(TAKEN, redirect=replace(RULE, address="fd00::1", port=None)))


def test_a_proxy_on_the_page() -> None:
    """A proxy's socket has its owner and, below, where it leads."""
    text = page(replace(PLAIN, redirect=replace(RULE, by="docker-proxy")))
    assert "nginx (pid 7)" in text
    assert "passed on to 172.17.0.2:8080 by docker-proxy" in text


def test_the_sentence_on_a_rule() -> None:
    """The sentence at the top of a page says that a rule takes the number."""
    from portulan.judge import judge  # noqa: PLC0415  # as the door does
    from portulan.registry.index import open_index  # noqa: PLC0415

    entry = open_index().entry(80)
    verdict = judge(entry, {}, TAKEN)
    said = sentence(Answer("80", 80, None, "system", entry, (TAKEN,), (verdict,), ()))
    assert said.startswith("Worth a look: 80/tcp: a rule of nftables takes it, no socket: what arrives is passed on to")


def test_a_rule_on_many_ports() -> None:
    """A rule on many numbers is a row of its own name in the list, and on the page of one of them no headline."""
    from portulan.judge import judge, rule_on  # noqa: PLC0415  # as the door does
    from portulan.judging import Glance  # noqa: PLC0415
    from portulan.registry.index import open_index  # noqa: PLC0415

    entry = open_index().entry(80)
    every = replace(RULE, address=None, port=15_001, by="iptables", ports=PortRange(1, 65_535), from_here=True)
    seen = replace(TAKEN, redirect=every)
    on, says = entry.on("tcp"), JUDGED.headings.index("THE MAP SAYS")
    broad, narrow = judge(entry, {}, seen), judge(entry, {}, TAKEN)
    row = Cells(short=True).of_glance(Glance(seen, on, rule_on(entry, {}, seen)))
    assert (row[1], row[says]) == ("1-65535/tcp", "")
    assert Cells(short=True).of_glance(Glance(TAKEN, on, rule_on(entry, {}, TAKEN)))[says] == "http, www, www-http"

    def said(*verdicts: Verdict) -> str:
        return sentence(Answer("80", 80, None, "system", entry, tuple([v.subject for v in verdicts]), verdicts, ()))

    assert said(broad).startswith(
        f"Nothing here holds or dials 80, but a rule on 1-65535/tcp takes it{OUTGOING}. 80/tcp"
    )
    assert said(narrow, broad) == said(narrow)
    assert worst([broad]) == ""
    text = page(seen, TAKEN, verdicts=(broad, narrow))
    assert f"takes tcp 0.0.0.0:80 (redirected, one of 1-65535,{OUTGOING})" in text
    assert text.index("[1] look") < text.index("takes it, no socket") < text.index("takes 1-65535/tcp")


@given(observations())
def test_whatever_is_behind(seen: Observation) -> None:
    """Whatever names and rules hold, the page has no control character and JSON can be made of it."""
    text = page(seen)
    assert all(line.isprintable() for line in text.split("\n"))
    assert plain(seen)["redirect"] is None or set(plain(seen)["redirect"]) == {*Redirect._fields}


def test_a_number_of_another_namespace_is_not_taken_for_the_hosts() -> None:
    """On a terminal, however narrow, the port itself says in which network namespace it is; elsewhere a cell does."""
    elsewhere = replace(PLAIN, network_namespace_name="web\x1b[2J")
    port = Cells(short=True).of(PLAIN)[0]
    assert Cells(short=True).of(elsewhere)[0] == f"{port} in web\\x1b[2J"
    assert Cells(short=False).of(elsewhere)[0] == port
    assert "web\\x1b[2J" in Cells(short=False).of(elsewhere)
