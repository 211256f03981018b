"""GlusterFS (docs.gluster.org; its sources, rpc/rpc-lib): ONC RPC (RFC 5531) with programs of its own.

Every server of it, for volumes as for management, tells which programs it has.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

LAST, REPLY = 0x8000_0000, 1
PROGRAM, VERSION, DUMP = 123_451_501, 1, 1


def dump(nonce: bytes) -> bytes:
    """Return a call for the list; its number is of the nonce."""
    call = nonce[:4] + struct.pack(">9I", 0, 2, PROGRAM, VERSION, DUMP, 0, 0, 0, 0)
    return struct.pack(">I", LAST | len(call)) + call


PROBE = Probe(
    "glusterfs", dump, ("glusterfs",), ports=(24007, 24008, 49152), rank=83, in_tls=False, after=("closes/resets",)
)
PROBES = (PROBE,)

_NAME = re.compile(rb"\0\0\0\x01\0\0\0.((?:Glus|GF-|GLUS)[ -~]{1,60})", re.DOTALL)
_UNAVAILABLE = struct.pack(">5I", REPLY, 0, 0, 0, 1)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say glusterfs of a list of programs; some server without the program that was asked for may have this one."""
    data = answer.data
    if answer.transport != "tcp" or data[4:8] != answer.nonce[:4] or not any(answer.nonce):
        return
    if int.from_bytes(data[:4], "big") != LAST | len(data) - 4:
        return
    if data[8:] == _UNAVAILABLE and answer.probe != PROBE.name:
        yield Match("glusterfs", HINT, "ONC RPC without the usual programs", confirm=PROBE, again=True)
    elif data[8:28] == struct.pack(">5I", REPLY, 0, 0, 0, 0) and _NAME.search(data):
        facts = tuple([("program", text_of(name)) for name in _NAME.findall(data)])
        yield Match("glusterfs", CERTAIN, "GlusterFS's programs", "GlusterFS", None, facts[:3], over=("onc-rpc",))
