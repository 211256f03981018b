"""What watches machines and is asked: NUT's upsd, Zabbix's agent and server, apcupsd, LIRC and Livestatus.

upsd: RFC 9271. Zabbix: its manual, "Protocols", "Header". apcupsd: its manual,
"NIS network server protocol": each text with two bytes of length. LIRC: lircd(8), "Socket broadcast messages format".
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_ZABBIX = b"ZBXD\1"


def zabbix_packet(text: bytes) -> bytes:
    """Return a packet: its mark, the length in eight bytes, little-endian, and the text."""
    return _ZABBIX + struct.pack("<Q", len(text)) + text


NUT_VERSION = Probe("nut-version", fixed(b"VER\n"), ("nut",), ports=(3493,), rank=92)
LIRC_VERSION = Probe("lirc-version", fixed(b"VERSION\n"), ("lirc",), ports=(8765,), rank=92)
AGENT_VERSION = Probe("zabbix-agent-version", fixed(zabbix_packet(b"agent.version")), ("zabbix-agent",), rank=97)
# No values at all: a server takes them for nothing, and to an agent this is an item that it does not know.
ZABBIX = Probe(
    "zabbix",
    fixed(zabbix_packet(b'{"request":"sender data","data":[]}')),
    ("zabbix-agent", "zabbix"),
    ports=(10050, 10051),
    rank=24,
    after=("closes/closes", "resets/closes"),
)
PROBES = (
    NUT_VERSION,
    LIRC_VERSION,
    ZABBIX,
    AGENT_VERSION,
    Probe("apcupsd-status", fixed(b"\0\6status"), ("apcupsd",), ports=(3551,), rank=90, in_tls=False),
)

_NUT_ERROR = re.compile(rb"(?:ERR (?:UNKNOWN-COMMAND|INVALID-ARGUMENT|ACCESS-DENIED|DATA-STALE|USERNAME-REQUIRED)\n)+")
_NUT_VERSION = re.compile(rb"Network UPS Tools upsd (?:v?(\d[\w.]*))?[^\n]*\n")
_LIRC = re.compile(rb"BEGIN\n([^\n]*)\n(?:SUCCESS|ERROR)\n(?:DATA\n\d+\n([^\n]*)\n(?:[^\n]*\n)*?)?END\n")
_LIVESTATUS = re.compile(
    rb"(?:\d{3} {1,13}\d{1,11}\n)?(?:Invalid GET request, (?:no such table|missing) |Invalid request method)"
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say which of them it is."""
    data = answer.data
    if answer.transport == "udp":
        return
    if data.startswith(_ZABBIX[:4]):
        yield from _zabbix(answer)
        return
    nut = _NUT_VERSION.match(data)
    if nut is not None:
        yield Match("nut", CERTAIN, "upsd's version", "Network UPS Tools upsd", text_of(nut[1] or b"") or None)
    elif _NUT_ERROR.fullmatch(data):
        yield Match("nut", 0.9, "upsd's errors", confirm=NUT_VERSION, again=True)
    elif _LIVESTATUS.match(data):
        yield Match("livestatus", LIKELY, "Livestatus' error")
    yield from _lirc(answer)
    yield from _apcupsd(data)


def _zabbix(answer: Answer) -> Iterator[Match]:
    """Read the packet: flags (1: always, 2: compressed, 4: large), the length, and text or JSON."""
    data = answer.data
    if len(data) < 13 or not 1 <= data[4] <= 7 or data == answer.sent:  # noqa: PLR2004  # the head, its flags
        return
    length, text = int.from_bytes(data[5:9], "little"), data[13:]
    if length != len(text):
        return
    told: object = None
    if text.startswith(b"{"):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return
    if isinstance(told, dict) and "response" in told:
        facts = (("response", text_of(str(told["response"]).encode())),)
        yield Match(
            "zabbix", CERTAIN, "answer of a Zabbix server or proxy", facts=facts, service_names=("zabbix-trapper",)
        )
    elif isinstance(told, dict) and "version" in told:
        version = text_of(str(told["version"]).encode())
        yield Match("zabbix-agent", CERTAIN, "answer of a Zabbix agent", None, version)
    elif text.startswith(b"ZBX_NOTSUPPORTED"):
        yield Match("zabbix-agent", 0.9, "answer of a Zabbix agent", confirm=AGENT_VERSION, again=True)
    elif answer.probe == AGENT_VERSION.name and re.fullmatch(rb"\d+\.\d+\.\d+[\w.]*", text):
        yield Match("zabbix-agent", CERTAIN, "the version of a Zabbix agent", "Zabbix agent", text_of(text))


def _lirc(answer: Answer) -> Iterator[Match]:
    """Read a reply, which repeats the command first."""
    found = _LIRC.match(answer.data)
    if found is None:
        return
    if answer.probe == LIRC_VERSION.name and found[1] == b"VERSION" and found[2]:
        yield Match("lirc", CERTAIN, "lircd's version", "lircd", text_of(found[2]))
    elif b"\nERROR\n" in found[0] or found[1] in answer.sent:
        yield Match("lirc", 0.9, "lircd's reply", confirm=LIRC_VERSION, again=True)


def _apcupsd(data: bytes) -> Iterator[Match]:
    """Read lines, each with its length before it; the first counts them: APC, the version of its form, how many."""
    length = int.from_bytes(data[:2], "big")
    if data[2:11] != b"APC      " or length + 2 > len(data):
        return
    version = re.search(rb"\0.VERSION  : (\d[\w.]*)", data)
    told = None if version is None else text_of(version[1])
    yield Match("apcupsd", CERTAIN, "apcupsd's status", "apcupsd", told)
