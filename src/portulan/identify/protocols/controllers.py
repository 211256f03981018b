"""Controllers that say what they are: FINS, SLMP (MELSEC), HART-IP, ADS (TwinCAT) and DLMS meters. All need consent.

FINS: Omron W342, sections 3-1 and 5-3-5. SLMP: CC-Link Partner Association, BAP-C2006, "Read type name". HART-IP:
FieldComm HCF_SPEC-085, section 10. ADS: Beckhoff, "ADS/AMS specification", ReadDeviceInfo. DLMS: IEC 62056-47, the
wrapper, and 62056-53, the association.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.identify.answers import Answer

# ------------------------------------------------------------------------------------------------------------- FINS

_READ_DATA = bytes.fromhex("050100")  # CPU unit data read, all of it
_FINS_TCP = struct.Struct(">4sIII")  # "FINS", length of what follows, command, error
_ASK_ADDRESS, _TELL_ADDRESS = 0, 1


def fins_read(nonce: bytes) -> bytes:
    """Return the question for the model; the service number is of the nonce."""
    return bytes.fromhex("80000200000000ef00") + nonce[:1] + _READ_DATA


# ------------------------------------------------------------------------------------------------------------- SLMP

_ROUTE = bytes.fromhex("00ffff0300")  # this network, this station, its own processor
_TYPE_NAME = struct.pack("<HHHH", 6, 4, 0x0101, 0)  # length, a second of patience, the command
_SLMP_REQUEST, _SLMP_RESPONSE = b"\x50\0", b"\xd0\0"

# ---------------------------------------------------------------------------------------------------------- HART-IP

_HART = struct.Struct(">BBBB2sH")  # version, kind, what it is about, status, our number, length of all
_INITIATE = b"\1\0\0\x27\x10"  # as a primary master, until ten seconds are silent


def hart_initiate(nonce: bytes) -> bytes:
    """Return the beginning of a session."""
    return _HART.pack(1, 0, 0, 0, nonce[:2], _HART.size + len(_INITIATE)) + _INITIATE


# -------------------------------------------------------------------------------------------------------------- ADS

_AMS = struct.Struct("<HI6sH6sHHHII4s")  # two bytes, length; to, from, command, flags, length, error, our number
_READ_DEVICE, _COMMAND, _ANSWER = 1, 4, 5
_SYSTEM_PORT, _OUR_PORT = 10_000, 32_905


def ads_info(nonce: bytes) -> bytes:
    """Return ReadDeviceInfo."""
    here = bytes([127, 0, 0, 1, 1, 1])
    return _AMS.pack(0, _AMS.size - 6, here, _SYSTEM_PORT, here, _OUR_PORT, _READ_DEVICE, _COMMAND, 0, 0, nonce[:4])


# ------------------------------------------------------------------------------------------------------------- DLMS

_WRAPPER = struct.Struct(">HHHH")  # version 1, from, to, length
_PUBLIC_CLIENT, _MANAGEMENT = 16, 1
# A request for an association by logical names, without authentication, with what the client can do.
_ASSOCIATE = bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001e1dffff")
_ASSOCIATED = 0x61


def _dlms() -> bytes:
    return _WRAPPER.pack(1, _PUBLIC_CLIENT, _MANAGEMENT, len(_ASSOCIATE)) + _ASSOCIATE


def _careful(name: str, payload: Callable[[bytes], bytes], port: int, *, udp: bool = False, rank: int = 90) -> Probe:
    protocol = name.partition("-udp")[0]
    return Probe(name, payload, (protocol,), "udp" if udp else "tcp", (port,), rank=rank, risk="consent", in_tls=False)


PROBES = (
    _careful("fins-udp", fins_read, 9600, udp=True),
    _careful("fins", fixed(_FINS_TCP.pack(b"FINS", 12, _ASK_ADDRESS, 0) + bytes(4)), 9600),
    _careful("slmp", fixed(_SLMP_REQUEST + _ROUTE + _TYPE_NAME), 5007),
    _careful("slmp-udp", fixed(_SLMP_REQUEST + _ROUTE + _TYPE_NAME), 5006, udp=True),
    _careful("hart-ip", hart_initiate, 5094),
    _careful("hart-ip-udp", hart_initiate, 5094, udp=True),
    _careful("ads", ads_info, 48898),
    _careful("dlms", fixed(_dlms()), 4059),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say fins, slmp, hart-ip, ads and dlms of answers whose lengths fit, with our number where there is one."""
    data = answer.data
    if data and data != answer.sent:
        yield from _fins(answer)
        yield from _slmp(data)
        yield from _hart(answer)
        yield from _ads(answer)
        yield from _association(data)


def _fins(answer: Answer) -> Iterator[Match]:
    data = answer.data
    if answer.transport == "tcp":
        if len(data) == _FINS_TCP.size + 8 and data.startswith(b"FINS"):
            _, size, command, error = _FINS_TCP.unpack_from(data)
            if (size, command, error) == (len(data) - 8, _TELL_ADDRESS, 0):
                yield Match("fins", CERTAIN, "FINS tells the addresses")
    elif len(data) >= 54 and data[0] & 0xC0 == 0xC0 and data[9:10] == answer.nonce[:1] and data[10:14] == b"\5\1\0\0":  # noqa: PLR2004  # model and version
        model, version = (text_of(data[at : at + 20].rstrip(b" \0")) for at in (14, 34))
        if model.isprintable() and model:
            yield Match("fins", CERTAIN, "FINS tells the model", model, version or None)


def _slmp(data: bytes) -> Iterator[Match]:
    if data.startswith(_SLMP_RESPONSE + _ROUTE) and len(data) >= 11:  # noqa: PLR2004  # head, length, result
        size, result = struct.unpack_from("<HH", data, 7)
        if size == len(data) - 9:
            model = text_of(data[11:27].rstrip(b" \0")) if result == 0 and size == 20 else None  # noqa: PLR2004  # a name and its code
            yield Match("slmp", CERTAIN if model else LIKELY, "SLMP response", model)


def _hart(answer: Answer) -> Iterator[Match]:
    data = answer.data
    if len(data) >= _HART.size and any(answer.nonce):
        version, kind, about, _, number, size = _HART.unpack_from(data)
        if (version, kind, about, number, size) == (1, 1, 0, answer.nonce[:2], len(data)):
            yield Match("hart-ip", CERTAIN, "HART-IP session begun")


def _ads(answer: Answer) -> Iterator[Match]:
    data = answer.data
    if len(data) >= _AMS.size and any(answer.nonce):
        first, length, *_, command, flags, size, _, number = _AMS.unpack_from(data)
        whole = first == 0 and length == len(data) - 6 and size == len(data) - _AMS.size
        if whole and (command, flags, number) == (_READ_DEVICE, _ANSWER, answer.nonce[:4]):
            named = size == 24  # noqa: PLR2004  # result, version, build, name
            product = text_of(data[-16:].split(b"\0")[0]) if named else None
            version = f"{data[42]}.{data[43]}.{int.from_bytes(data[44:46], 'little')}" if named else None
            yield Match("ads", CERTAIN, "ADS answers our number", product or None, version)


def _association(data: bytes) -> Iterator[Match]:
    if len(data) > _WRAPPER.size + 2 and _WRAPPER.unpack_from(data) == (
        1,
        _MANAGEMENT,
        _PUBLIC_CLIENT,
        len(data) - _WRAPPER.size,
    ):
        body = data[_WRAPPER.size :]
        if body[0] == _ASSOCIATED and body[1] == len(body) - 2:
            yield Match("dlms", CERTAIN, "DLMS association answered")
