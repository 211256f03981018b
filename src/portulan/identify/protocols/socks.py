"""SOCKS: version 5 (RFC 1928) by the choice of a method, version 4 (its paper, "SOCKS: A protocol for TCP proxy").

Nobody is asked to connect anywhere, but for version 4 to a name that cannot exist (`.invalid`, RFC 6761).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

METHODS = Probe(
    "socks5",
    fixed(bytes([5, 2, 0, 2])),
    ("socks5",),
    ports=(1080, 9050, 9150, 1081, 10808),
    rank=41,
    after=("silent", "closes"),
)
SOCKS4 = Probe(
    "socks4",
    fixed(b"\4\1\0\1\0\0\0\1\0portulan.invalid\0"),  # version 4A: an address that is none, and a name after it
    ("socks4",),
    ports=(1080,),
    rank=95,
    after=("closes", "silent"),
)
PROBES = (METHODS, SOCKS4)

_NONE = 0xFF
_METHODS = {0: "none", 2: "user name and password", _NONE: "none of what was offered"}
_CODES = range(90, 94)
_TOR = b"Tor is not an HTTP Proxy"
_CONTROL = b"Tor ControlPort is not an HTTP proxy"


def recognise(answer: Answer) -> Iterator[Match]:
    """Say socks5 of the choice of a method, socks4 of a request rejected; of Tor's, what it says to a browser."""
    data = answer.data
    if data.startswith(b"HTTP/1.0 501 Tor") and _TOR in data:
        yield Match("socks5", CERTAIN, "Tor's words to a browser", "Tor", over=("http",), service_names=("socks",))
    elif data.startswith(b"HTTP/1.0 501 Tor ") and _CONTROL in data:  # spec.torproject.org/control-spec
        yield Match("tor-control", CERTAIN, "what Tor's control port says to a browser", "Tor", over=("http",))
    elif data == b"514 Authentication required.\r\n":
        yield Match("tor-control", HINT, "an error of Tor's control port")
    elif len(data) == 2 and data[0] == 5 and answer.transport == "tcp":  # noqa: PLR2004  # version and method
        if answer.probe == METHODS.name and data[1] in _METHODS:
            facts = (("authentication", _METHODS[data[1]]),)
            yield Match("socks5", 0.85, "SOCKS 5 method", facts=facts, over=("socks4",), service_names=("socks",))
        elif data[1] == _NONE:
            yield Match("socks5", HINT, "SOCKS 5 refusal", confirm=METHODS, again=True)
    elif answer.probe == SOCKS4.name and len(data) == 8 and data[0] == 0 and data[1] in _CODES:  # noqa: PLR2004  # a reply
        yield Match("socks4", 0.85, "SOCKS 4 reply", service_names=("socks",))
