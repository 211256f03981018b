"""ONC RPC (RFC 5531), and its programs rpcbind (RFC 1833), nfs and mountd (RFC 1813): procedure 0 does nothing.

Whoever does not have the program that is asked for says so, and is some other program.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.identify.answers import Answer

CALL, REPLY, ACCEPTED, DENIED = 0, 1, 0, 1
SUCCESS, PROGRAM_UNAVAILABLE, PROGRAM_MISMATCH = 0, 1, 2  # section 9
_CODES = range(6)
LAST = 0x8000_0000  # of the fragments of a record (section 11)
PROGRAMS = {"rpcbind": (100_000, 2), "nfs": (100_003, 3), "mountd": (100_005, 3)}
_IANA = {"rpcbind": "sunrpc", "nfs": "nfs", "mountd": "mountd"}


def _call(program: int, version: int) -> Callable[[bytes], bytes]:
    """Return a call of procedure 0, without credentials and with the nonce as its number."""
    return lambda nonce: nonce[:4] + struct.pack(">9I", CALL, 2, program, version, 0, 0, 0, 0, 0)


def _by_tcp(program: int, version: int) -> Callable[[bytes], bytes]:
    call = _call(program, version)
    return lambda nonce: struct.pack(">I", LAST | len(call(nonce))) + call(nonce)


PROBES = (
    Probe(
        "rpcbind",
        _by_tcp(*PROGRAMS["rpcbind"]),
        ("rpcbind", "onc-rpc"),
        ports=(111,),
        rank=22,
        in_tls=False,
        after=("resets/resets", "silent/closes", "closes/resets"),
    ),
    Probe("nfs", _by_tcp(*PROGRAMS["nfs"]), ("nfs",), ports=(2049,), rank=80, in_tls=False, after=("resets", "silent")),
    Probe(
        "mountd",
        _by_tcp(*PROGRAMS["mountd"]),
        ("mountd",),
        ports=(20048,),
        rank=92,
        in_tls=False,
        after=("resets", "silent"),
    ),
    Probe("rpcbind-udp", _call(*PROGRAMS["rpcbind"]), ("rpcbind", "onc-rpc"), "udp", (111,), rank=20, in_tls=False),
    Probe("nfs-udp", _call(*PROGRAMS["nfs"]), ("nfs",), "udp", (2049,), rank=84, in_tls=False),
    Probe("mountd-udp", _call(*PROGRAMS["mountd"]), ("mountd",), "udp", (20048,), rank=92, in_tls=False),
)
_BY_NAME = {probe.name: probe for probe in PROBES}
_NEXT = {"rpcbind": "nfs", "nfs": "mountd", "mountd": "rpcbind"}


def recognise(answer: Answer) -> Iterator[Match]:
    """Say what program answers our call; onc-rpc where it is another than the one that was called."""
    data, suffix = answer.data, "-udp"
    if answer.transport == "tcp":
        data, suffix = (data[4:] if data[:4] == struct.pack(">I", LAST | max(len(data) - 4, 0)) else b""), ""
    asked = answer.probe.removesuffix("-udp")
    if asked not in PROGRAMS or len(data) < 20 or data[:4] != answer.nonce[:4]:  # noqa: PLR2004  # number to code
        return
    kind, state, _, verifier = struct.unpack_from(">4I", data, 4)
    code = int.from_bytes(data[20 + verifier : 24 + verifier], "big")
    if (kind, state) == (REPLY, DENIED):
        yield Match(asked, LIKELY, "ONC RPC call denied", service_names=(_IANA[asked],))
    elif (kind, state) == (REPLY, ACCEPTED) and len(data) >= 24 + verifier and code in _CODES:
        if code == PROGRAM_UNAVAILABLE:
            other = _BY_NAME[_NEXT[asked] + suffix]
            yield Match("onc-rpc", LIKELY, "ONC RPC reply of another program", confirm=other, again=True)
        else:
            facts: tuple[tuple[str, str], ...] = ()
            place = 24 + verifier
            if code == PROGRAM_MISMATCH and len(data) == place + 8:
                facts = (("versions", "{} to {}".format(*struct.unpack_from(">II", data, place))),)
            yield Match(asked, CERTAIN, "ONC RPC reply", facts=facts, over=("onc-rpc",), service_names=(_IANA[asked],))
