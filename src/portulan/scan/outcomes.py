"""What an attempt to connect means: the error of connect(2), and the ICMP message behind it where there was one."""

from __future__ import annotations

import errno
import struct

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Outcome = Literal["open", "closed", "filtered", "unreachable", "silent", "again", "crowded", "forbidden"]

PENDING = frozenset(
    {errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK, errno.EINTR, getattr(errno, "WSAEWOULDBLOCK", 0)} - {0}
)
"""The attempt goes on."""

CROWDED = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN}
)
"""This machine has no room for one more: no descriptor, no memory, no port of its own."""

FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
"""This machine does not let it go out: a rule, a route that prohibits (ip-route(8)), a sandbox."""

REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, getattr(errno, "WSAECONNREFUSED", 0)})
"""A segment with RST came back (RFC 9293, section 3.5.2), or ICMP says that the port is unreachable."""

_ICMP, _ICMP6 = 2, 3
"""Origins of an error (linux/errqueue.h)."""
_PROHIBITED = frozenset({(_ICMP, 3, 3), (_ICMP, 3, 9), (_ICMP, 3, 10), (_ICMP, 3, 13)}) | frozenset(
    {(_ICMP6, 1, 1), (_ICMP6, 1, 4), (_ICMP6, 1, 5), (_ICMP6, 1, 6)}
)
"""What a packet filter answers: port unreachable, which TCP never says by ICMP itself (RFC 1122, section 3.2.2.1), and
prohibited (RFC 1812, section 5.2.7.1); for IPv6 likewise, and what a policy or a route rejects (RFC 4443, section 3.1).
"""
_EXTENDED = struct.Struct("=IBBBB")
"""The beginning of a sock_extended_err: errno, origin, type, code, padding (linux/errqueue.h)."""


class Icmp(Value):
    """An ICMP message that the kernel kept for a socket."""

    origin: int
    type: int
    code: int


def parse_icmp(extended: bytes) -> Icmp | None:
    """Read a sock_extended_err; None where it is of no ICMP message, or cut off."""
    if len(extended) < _EXTENDED.size:
        return None
    _, origin, kind, code, _ = _EXTENDED.unpack_from(extended)
    return Icmp(origin, kind, code) if origin in {_ICMP, _ICMP6} else None


def outcome_of(error: int, icmp: Icmp | None = None) -> Outcome:
    """Say what the error of a finished attempt means.

    Without a connection and without a word from elsewhere it is this machine's doing: `crowded` for now, `forbidden`
    for good.
    """
    if error == 0:
        return "open"
    if icmp is not None:
        return "filtered" if (icmp.origin, icmp.type, icmp.code) in _PROHIBITED else "unreachable"
    if error in REFUSED:
        return "closed"
    if error == errno.ETIMEDOUT:
        return "silent"
    if error in CROWDED:
        return "crowded"
    return "forbidden" if error in FORBIDDEN else "unreachable"
