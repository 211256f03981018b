"""Android's debug bridge (packages/modules/adb, docs/dev/protocol.md and services.md): a device, and a server."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_MESSAGE = struct.Struct("<4sIIIII")  # command, two arguments, length and sum of the data, the command's complement
_FULL = 0xFFFF_FFFF
_WISH = b"host::\0"


def _connect() -> bytes:
    command = int.from_bytes(b"CNXN", "little")
    return _MESSAGE.pack(b"CNXN", 0x01000000, 4096, len(_WISH), sum(_WISH), command ^ _FULL) + _WISH


DEVICE = Probe("adb", fixed(_connect()), ("adb",), ports=(5555,), rank=68, in_tls=False)
SERVER = Probe(
    "adb-server",
    fixed(b"000chost:version"),
    ("adb-server",),
    ports=(5037,),
    rank=91,
    in_tls=False,
    after=("closes/closes",),
)
PROBES = (DEVICE, SERVER)

_ANSWERS = {b"CNXN": "open", b"AUTH": "a key is asked for", b"STLS": "TLS is asked for"}
_NAMES = re.compile(rb"ro\.product\.(name|model|device)=([^;\0]{1,60})")
_VERSION = re.compile(rb"OKAY0004([0-9a-f]{4})")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say adb of a message whose command fits its complement, adb-server of a version."""
    data = answer.data
    if len(data) >= _MESSAGE.size and data[:4] in _ANSWERS and data[:8] != answer.sent[:8]:
        command, *_, size, _, magic = _MESSAGE.unpack_from(data)
        if magic == int.from_bytes(command, "little") ^ _FULL and size <= len(data) - _MESSAGE.size:
            names = [(text_of(key), text_of(value)) for key, value in _NAMES.findall(data)]
            yield Match("adb", CERTAIN, "ADB message", facts=(("access", _ANSWERS[command]), *names))
    elif _VERSION.fullmatch(data):
        yield Match("adb-server", CERTAIN, "the version of an ADB server", "adb", str(int(data[8:], 16)))
