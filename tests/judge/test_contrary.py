"""What speaks against a program and what does not: one situation a test, against the real map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.judge import judge
from portulan.model import replace
from tests.judge.situations import judged, process, short, socket

if TYPE_CHECKING:
    from portulan.registry.index import Index

LOOK = ("unexplained", "look", None)
UNHEARD_OF = process("/opt/unheard-of")


@pytest.mark.parametrize(
    ("program", "port", "transport"),
    [
        ("/usr/bin/twinkle", 5060, "udp"),
        ("/usr/bin/linphone", 5060, "udp"),
        ("/usr/bin/proxysql", 3306, "tcp"),
        ("/usr/sbin/racoon", 500, "udp"),
        ("/usr/bin/busybox", 23, "tcp"),
        ("/usr/bin/git", 9418, "tcp"),
        ("/opt/quic-server", 443, "udp"),
        ("/opt/unheard-of", 5432, "tcp"),
    ],
)
def test_anybody_may_implement_the_assigned_service(index: Index, program: str, port: int, transport: str) -> None:
    """Where a cited use is the assigned service, it speaks against no other program, which may serve the same."""
    assert short(judged(index, replace(socket("listen", port, process(program)), transport=transport))) == LOOK


def test_number_with_both_kinds_of_uses(index: Index) -> None:
    """One cited use that is the assigned service is enough: a stranger may be another program of it."""
    entry = index.entry(2812)
    unofficial = entry.known_uses[0]
    seen = socket("listen", 2812, UNHEARD_OF)
    assert (unofficial.relation, judge(entry, {}, seen).rule) == ("unofficial", "PT104")
    official = replace(unofficial, product="Another", relation="registered")
    assert short(judge(replace(entry, known_uses=(unofficial, official)), {}, seen)) == LOOK


@pytest.mark.parametrize("port", [4646, 6006])
def test_documented_service(index: Index, port: int) -> None:
    """Where a document says what the assigned service is, anybody may implement it, whoever else took the number."""
    assert any(use.relation == "unofficial" for use in index.entry(port).known_uses)
    assert short(judged(index, socket("listen", port, UNHEARD_OF))) == LOOK


@pytest.mark.parametrize("port", [2812, 3022, 9019])
def test_unofficial_use_speaks_against_strangers(index: Index, port: int) -> None:
    """A number whose only cited uses are unofficial speaks against another holder."""
    assert {use.relation for use in index.entry(port).known_uses} == {"unofficial"}
    assert judged(index, socket("listen", port, UNHEARD_OF)).rule == "PT104"


def test_client_of_a_number_that_servers_hold(index: Index) -> None:
    """5223 is dialled by 3CX and held by XMPP servers and Apple: a chat program may dial it, another hold it."""
    assert judged(index, socket("connect", 5223, process("/usr/bin/gajim"))).rule == "PT105"
    assert judged(index, socket("listen", 5223, UNHEARD_OF)).rule == "PT105"


def test_provider_of_push_notifications(index: Index) -> None:
    """Apple's numbers for notifications are dialled by any provider of them, not by 3CX alone."""
    for port in (2195, 2196, 2197):
        assert judged(index, socket("connect", port, UNHEARD_OF)).rule == "PT105"


@pytest.mark.parametrize(
    "program",
    ["/usr/sbin/exim4", "/usr/lib/postfix/sbin/smtp", "/usr/bin/curl", "/usr/bin/ssh", "/usr/bin/msmtp"],
)
def test_speaking_smtp_makes_nobody_3cx(index: Index, program: str) -> None:
    """A program that speaks the protocol for which 3CX dials 2528 is still not 3CX."""
    verdict = judged(index, socket("connect", 2528, process(program)))
    assert short(verdict) == ("unexplained", "investigate", "ncr-ccl")


@pytest.mark.parametrize(
    "relay",
    [
        "/usr/bin/ssh",
        "/usr/bin/socat",
        "/usr/local/bin/socat",
        "/usr/bin/kubectl",
        "/usr/local/bin/kubectl",
        "/usr/sbin/xinetd",
    ],
)
@pytest.mark.parametrize("port", [3306, 5432, 11434, 27017, 3022])
def test_tunnel(index: Index, relay: str, port: int) -> None:
    """What passes connections on may pass on what the number is for: it is not accused and squats on nothing."""
    verdict = judged(index, socket("listen", port, process(relay)))
    assert (verdict.rule, *short(verdict)) == ("PT116", *LOOK)
    assert "passes connections on" in verdict.because[-1].statement
    assert "passes them on to: ps" in str(verdict.advice)


@pytest.mark.parametrize("relay", ["/usr/bin/ssh", "/usr/bin/socat", "/usr/bin/kubectl", "/usr/bin/docker-proxy"])
def test_tunnel_on_a_number_that_is_only_dialled(index: Index, relay: str) -> None:
    """Nothing is at home on 2528, a relay neither; what it passes on may be anything, so it squats on nothing."""
    assert short(judged(index, socket("listen", 2528, process(relay)))) == ("unexplained", "investigate", None)


def test_tunnel_by_name_only(index: Index) -> None:
    """The name of a relay is not believed where others can write."""
    named = process("/home/eve/socat", executable_writable="/home/eve")
    assert judged(index, socket("listen", 3022, named)).rule == "PT104"


def test_malware_is_no_use(index: Index) -> None:
    """What malware did with a number is a note, and not among the uses that a verdict quotes."""
    verdict = judged(index, socket("connect", 22, UNHEARD_OF))
    assert "Emotet" in str(verdict.notes)
    assert "Emotet" not in str(verdict.because)


@pytest.mark.parametrize(
    ("program", "advice"),
    [
        ("/usr/bin/python3.11", "Look at the script or module that /usr/bin/python3.11 runs"),
        ("/usr/bin/node", "Look at the script or module that /usr/bin/node runs"),
        ("/usr/bin/nc.openbsd", "Look at what /usr/bin/nc.openbsd was started for"),
        ("/usr/lib/systemd/systemd", "See which unit it is for: systemctl list-sockets"),
    ],
)
def test_advice_fits(index: Index, program: str, advice: str) -> None:
    """Only an interpreter has a script to look at; the service manager is asked for its sockets."""
    verdict = judged(index, socket("listen", 24999, process(program)))
    assert verdict.rule == "PT110"
    assert str(verdict.advice).startswith(advice)
