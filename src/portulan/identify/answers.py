"""The nouns of the question: what is sent, what comes back, and what somebody makes of it. No sockets here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from portulan.model import Authentication, Tls, Transport

    Risk = Literal["none", "consent"]
    End = Literal["open", "closed", "reset"]
    Reaction = Literal["silent", "closes", "resets", "answers"]

CERTAIN = 0.95
"""The strength of a match that no other protocol could be mistaken for: a magic number and a structure that holds, or
our own nonce given back in the right place."""
LIKELY = 0.8
"""A structure that holds, without anything unique in it."""
HINT = 0.5
"""A beginning that several protocols share; never enough on its own."""


class Probe(Value):
    """Something to send, and why.

    `payload` makes the bytes of 16 random ones, the nonce, which a recogniser may look for in the answer; a probe that
    has no room for it ignores it. `speaks` are the protocols that it is a sound first message of. `ports` are numbers
    where it is usual: a prior for the order, and never evidence. `rank` orders probes without a prior: by how many
    services it names that no cheaper one does, from measurements. A probe with risk `consent` can disturb what it
    reaches (controllers, printers, debuggers), and is sent only where somebody said so. `in_tls`: also inside TLS.
    `after`: how services that it is for take a TLS ClientHello and then a GET, as measured: "closes" says it of the
    first alone, "closes/silent" of both, "NAME:silent" of another probe, which tells more. A service that took them
    otherwise is sent this probe later. Empty: not known.
    """

    name: str
    payload: Callable[[bytes], bytes]
    speaks: tuple[str, ...]
    transport: Transport = "tcp"
    ports: tuple[int, ...] = ()
    rank: int = 50
    risk: Risk = "none"
    in_tls: bool = True
    after: tuple[str, ...] = ()


class Answer(Value):
    """What came back to a probe (`probe` "" : to nothing, the service spoke first), all of it as far as it was read.

    `sent` is what was sent. `before` is what the service had said on the same connection until then. `end` tells what
    became of the connection while we listened. `tls` is what the handshake showed, where there was one.
    """

    probe: str
    sent: bytes
    data: bytes
    transport: Transport = "tcp"
    nonce: bytes = b""
    before: bytes = b""
    end: End = "open"
    tls: Tls | None = None
    port: int = 0


class Match(Value):
    """What one recogniser makes of one answer.

    `reason` says in a few words what in the answer decides ("SSH identification string"). `strength` is one of CERTAIN,
    LIKELY and HINT, or lies between. `over` names protocols of which this is a special case and which recognise the
    same bytes (ipp over http): it wins against those. `confirm` is what to send next on the same connection, or a new
    one where `again` says so, if the match is not certain. `facts` are further things that the answer told: names and
    texts, hostile like everything from a network. `authentication` tells whether the answer came without one though a
    service that wants one would have refused it, or is that refusal; None where everybody is answered so.
    """

    protocol: str
    strength: float
    reason: str
    product: str | None = None
    version: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    over: tuple[str, ...] = ()
    confirm: Probe | None = None
    again: bool = False
    service_names: tuple[str, ...] = ()
    authentication: Authentication | None = None


def fixed(data: bytes) -> Callable[[bytes], bytes]:
    """Return the payload of a probe that is always the same."""
    return lambda _nonce: data


def text_of(data: bytes, most: int = 200) -> str:
    """Return bytes of an answer as a text: what is not ASCII is written as an escape, and the length is bounded."""
    return data[:most].decode("ascii", "backslashreplace")
