"""libvirt's remote protocol (libvirt.org/internals/rpc.html): which authentications there are, asked in XDR."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEAD = struct.Struct(">IIIII4sI")  # length of all, program, version, procedure, kind, our number, status
_PROGRAM, _VERSION, _AUTH_LIST = 0x20008086, 1, 66
_CALL, _REPLY = 0, 1
_KINDS = {0: "none", 1: "SASL", 2: "polkit"}


def auth_list(nonce: bytes) -> bytes:
    """Return the first call of any client."""
    return _HEAD.pack(_HEAD.size, _PROGRAM, _VERSION, _AUTH_LIST, _CALL, nonce[:4], 0)


PROBES = (Probe("libvirt", auth_list, ("libvirt",), ports=(16509, 16514), rank=79, after=("resets/resets",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say libvirt of a reply with our number."""
    data = answer.data
    if len(data) < _HEAD.size or not any(answer.nonce):
        return
    size, program, version, procedure, kind, number, status = _HEAD.unpack_from(data)
    ours = (size, program, version, procedure) == (len(data), _PROGRAM, _VERSION, _AUTH_LIST)
    if ours and kind == _REPLY and number == answer.nonce[:4]:
        told = range(_HEAD.size + 4, len(data), 4) if status == 0 else ()
        kinds = [_KINDS.get(int.from_bytes(data[at : at + 4], "big"), "another") for at in told]
        facts = (("authentication", ", ".join(kinds)),) if kinds else ()
        yield Match("libvirt", CERTAIN, "libvirt answers our call", "libvirt", facts=facts)
