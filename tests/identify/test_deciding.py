"""What several answers mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Answer, Match
from portulan.identify.deciding import Findings, behaviour, conclude, winner
from portulan.model import Tls

if TYPE_CHECKING:
    from collections.abc import Sequence

TLS = Tls("1.3", None, client_certificate_wanted=False, certificate=None)


def findings(*answers: Answer) -> Findings:
    """Return what some answers come to."""
    found = Findings()
    found.add(answers)
    return found


@pytest.mark.parametrize(
    ("matches", "name"),
    [
        ([], None),
        ([Match("a", HINT, "")], None),
        ([Match("a", LIKELY, "")], "a"),
        ([Match("a", CERTAIN, ""), Match("b", LIKELY, "")], "a"),
        ([Match("a", LIKELY, ""), Match("b", LIKELY, "")], None),
        ([Match("http", CERTAIN, ""), Match("ipp", CERTAIN, "", over=("http",))], "ipp"),
        ([Match("http", CERTAIN, ""), Match("ipp", HINT, "", over=("http",))], "http"),
    ],
)
def test_one_name_wins_or_none(matches: Sequence[Match], name: str | None) -> None:
    """The strongest wins if it is strong enough and apart from the next; a special case beats its general one."""
    won = winner(matches)
    assert (won.protocol if won else None) == name


def test_a_name_takes_what_others_know_of_it() -> None:
    """Product, version and facts come from all matches of the protocol, and of what it is a case of."""
    won = winner(
        [
            Match("ipp", CERTAIN, "", over=("http",), facts=(("a", "1"),)),
            Match("http", CERTAIN, "", "Trial", "1.5", facts=(("b", "2"),)),
        ]
    )
    assert won is not None
    assert (won.product, won.version, dict(won.facts)) == ("Trial", "1.5", {"a": "1", "b": "2"})


def test_one_answer_to_everything_is_no_answer() -> None:
    """What a question is answered with counts for nothing where another question got just the same."""
    pong = b"+PONG\r\n"
    assert findings(Answer("redis-ping", b"", pong)).name == "redis"
    assert findings(Answer("redis-ping", b"", pong), Answer("random", b"", pong)).name is None
    assert findings(Answer("redis-ping", b"", pong), Answer("http-get", b"", b"-ERR\r\n")).name == "redis"


def test_an_echo_counts_for_nothing() -> None:
    """What we said ourselves is no evidence."""
    hello = b"SSH-2.0-portulan\r\n"
    assert findings(Answer("", b"", hello)).name == "ssh"
    echoed = findings(Answer("trial", hello, hello))
    assert echoed.name in {None, "echo"}
    assert behaviour(echoed) == "echoes"


@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        ([], "silent"),
        ([Answer("", b"", b"")], "silent"),
        ([Answer("tls", b"x", b"", end="closed")], "closes"),
        ([Answer("tls", b"x", b"", end="reset"), Answer("http-get", b"x", b"", end="closed")], "resets"),
        ([Answer("http-get", b"x", b"hm?\r\n")], "chatters"),
        ([Answer("", b"", b"SSH-2.0-x_1\r\n"), Answer("http-get", b"x", b"HTTP/1.1 200 OK\r\n\r\n")], "contradicts"),
    ],
)
def test_what_has_no_name_has_a_behaviour(answers: list[Answer], seen: str) -> None:
    """Silence, ends, words and contradictions are told apart."""
    told = conclude(1, findings(*answers))
    assert (told.protocol, told.behaviour, told.layers) == (None, seen, ("tcp",))


def test_inside_tls_only_the_inside_counts() -> None:
    """Once a handshake is finished, what was said in plain is forgotten: it may be an error in plain HTTP."""
    plain = Answer("http-get", b"x", b"HTTP/1.1 400 Bad Request\r\nServer: web\r\n\r\n")
    told = conclude(1, findings(plain, Answer("", b"", b"", tls=TLS), Answer("http-get", b"x", b"hm?", tls=TLS)))
    assert (told.protocol, told.layers, told.tls) == ("tls", ("tcp", "tls"), TLS)
    told = conclude(1, findings(plain, Answer("", b"", b"SSH-2.0-x_1\r\n", tls=TLS)))
    assert (told.protocol, told.layers) == ("ssh", ("tcp", "tls", "ssh"))
    assert told.reasons == ("SSH identification string inside TLS",)


def test_a_promise_names_what_no_answer_does() -> None:
    """ALPN names the protocol where nothing better does, and with less confidence."""
    h2 = Tls("1.3", "h2", client_certificate_wanted=False, certificate=None)
    told = conclude(1, findings(Answer("", b"", b"", tls=h2)))
    assert (told.protocol, told.layers) == ("http2", ("tcp", "tls", "http2"))
    assert told.confidence < CERTAIN
