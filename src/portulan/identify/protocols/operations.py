"""What runs and watches machines and speaks first, or in words: OpenFlow, Ganglia, LCDproc, Rserve, tinc.

OpenFlow: Open Networking Foundation, "OpenFlow Switch Specification" 1.3, sections 7.1 and 7.5.1. Ganglia: gmond(8) and
the DTD in front of what it tells. LCDproc: its developer's guide, "Language". Rserve: rforge.net/Rserve/dev.html. tinc:
tinc-vpn.org, "The meta-protocol".
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

LCD_HELLO = Probe("lcdproc", fixed(b"hello\n"), ("lcdproc",), ports=(13666,), rank=96)
PROBES = (LCD_HELLO,)

_OPENFLOW = struct.Struct(">BBHI")  # version, kind, length, number
_OPENFLOW_VERSIONS = {1: "1.0", 2: "1.1", 3: "1.2", 4: "1.3", 5: "1.4", 6: "1.5"}
_HELLO, _BITMAP = 0, b"\0\1\0\x08"
_GANGLIA = re.compile(rb'<GANGLIA_XML VERSION="(\d[\w.-]{0,20})" SOURCE="(gmond|gmetad)">')
_LCD = re.compile(rb"connect LCDproc (\S{1,20}) protocol (\d[\d.]{0,8}) lcd wid \d")
_RSERVE = re.compile(rb"Rsrv(\d{4})(?:QAP1|\S{4})(?:[\r\n -]|\S{4}){4}")
_TINC = re.compile(rb"0 (\w{1,60}) (17(?:\.\d{1,2})?)\n")
_HUH = b"huh? "


def recognise(answer: Answer) -> Iterator[Match]:
    """Say openflow of a hello, ganglia, rserve and tinc of what they say unasked, lcdproc of its answers."""
    data = answer.data
    if answer.transport != "tcp":
        return
    if not answer.sent or not data.startswith(answer.sent[:8]):
        yield from _openflow(data)
    if b"<GANGLIA_XML" in data[:6_000] and (told := _GANGLIA.search(data)) is not None:
        yield Match("ganglia", CERTAIN, "Ganglia's XML", text_of(told[2]), text_of(told[1]), service_names=("gmond",))
    elif (told := _LCD.match(data)) is not None:
        facts = (("protocol version", text_of(told[2])),)
        yield Match("lcdproc", CERTAIN, "LCDproc's hello", "LCDproc", text_of(told[1]), facts)
    elif data.startswith(_HUH):
        yield Match("lcdproc", HINT, "LCDproc's refusal", confirm=LCD_HELLO, again=True)
    elif (told := _RSERVE.match(data)) is not None:
        facts = (("protocol version", text_of(told[1])),)
        yield Match("rserve", CERTAIN, "Rserve's greeting", "Rserve", facts=facts)
    elif (told := _TINC.fullmatch(data)) is not None:
        named = (("name", text_of(told[1])), ("protocol version", text_of(told[2])))
        yield Match("tinc", CERTAIN, "tinc's identification", "tinc", facts=named, service_names=("tinc",))


def _openflow(data: bytes) -> Iterator[Match]:
    """Read a hello: a head alone, or with the versions as a map of bits (section 7.5.1)."""
    if len(data) < _OPENFLOW.size:
        return
    version, kind, length, _ = _OPENFLOW.unpack_from(data)
    if version not in _OPENFLOW_VERSIONS or kind != _HELLO:
        return
    facts = (("protocol version", _OPENFLOW_VERSIONS[version]),)
    if length == 16 and data[8:12] == _BITMAP and len(data) >= length:  # noqa: PLR2004  # with the map
        yield Match("openflow", CERTAIN, "OpenFlow hello", facts=facts)
    elif length == len(data) == _OPENFLOW.size or (length == _OPENFLOW.size and data[8:9] == data[:1]):
        yield Match("openflow", LIKELY, "OpenFlow hello", facts=facts)
