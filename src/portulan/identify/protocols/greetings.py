"""Services whose greeting alone says what they are.

| protocol | described in |
|---|---|
| dict | RFC 2229, section 3.1 |
| snpp | RFC 1861, section 4 |
| rwhois | RFC 2167, section 3.1 |
| hylafax | hylafax.org, hfaxd(8c) |
| svdrp | vdr's svdrp(1) |
| mpd | mpd.readthedocs.io, "Protocol" |
| rsync | rsync's `csprotocol.txt` |
| svn | Subversion's `libsvn_ra_svn/protocol`, section 2 |
| gpsd | gpsd.io, "JSON protocol" |
| munin | guide.munin-monitoring.org, "Data exchange between master and node" |
| checkmk-agent | docs.checkmk.com, "The Checkmk agent" |
| freeswitch-event-socket | developer.signalwire.com, "Event Socket" |
| aprs-is | aprs-is.net, "Connecting to APRS-IS" |
| pjlink | pjlink.jbmia.or.jp, "PJLink Specifications Class 2", section 5 |
| hddtemp | hddtemp(8) |
| hpfeeds | hpfeeds.org, "Wire protocol" |
| ndmp | ndmp.org, "NDMP version 4", sections 2.2 and 3.1 |
| oscar | the FLAP protocol, OSCAR's lowest layer |
| nsca | NSCA's `common.h`, `init_packet` |
| razor | Razor's agents, `a=cg` |
| shoutcast | "ICY", in the place of HTTP's version |
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.identify.answers import Answer

MUNIN_VERSION = Probe("munin-version", fixed(b"version\n"), ("munin",), ports=(4949,), rank=97)
PROBES: tuple[Probe, ...] = (MUNIN_VERSION,)

_MOST = 1_000
"""No greeting is longer."""
_YEARS = range(1_704_067_200, 2_051_222_400)
"""Seconds since 1970 that a clock of today may show: from 2024 to 2034."""


# The protocol, the product where it is always the same, and the greeting; what its groups are called is told.
_GREETINGS: tuple[tuple[str, str | None, bytes], ...] = (
    ("dict", "dictd", rb"220 [^\r\n]*\bdictd (?P<version>\d[\w.]*)[^\r\n]* <[\w.]*> <[^<>@\s]+@[^<>\s]+>\r\n"),
    ("dict", None, rb"220 [^\r\n]* <[a-z0-9_]+(?:\.[a-z0-9_]+)*> <[^<>@\s]+@[^<>\s]+>\r\n"),
    ("snpp", "HylaFAX", rb"220 [^\r\n]*SNPP server \(HylaFAX \(tm\) Version (?P<version>\d[\w.]*)\)[^\r\n]*\r\n"),
    ("snpp", None, rb"220 [^\r\n]*\bSNPP\b[^\r\n]*\r\n"),
    (
        "hylafax",
        "HylaFAX",
        rb"(?:130 [^\r\n]*\r\n)?220 [^\r\n]* server \(HylaFAX \(tm\) Version (?P<version>\d[\w.]*)\)[^\r\n]*\r\n",
    ),
    ("svdrp", "VDR", rb"220 (?P<host>\S+) SVDRP VideoDiskRecorder (?P<version>\d[\w.]*)[;\r][^\n]*\n"),
    ("rwhois", None, rb"%rwhois V-\d\.\d[^\r\n]*\r?\n"),
    ("mpd", "MPD", rb"OK MPD (?P<protocol_version>\d+\.\d+\.\d+)\n\Z"),
    ("rsync", None, rb"@RSYNCD: (?P<protocol_version>\d+(?:\.\d+)?)(?: [\w -]+)?\r?\n"),
    (
        "svn",
        None,
        rb"\( success \( (?:\d+ ){2}\( (?:[A-Z0-9-]+ )*\) \( (?P<capabilities>(?:[a-z0-9-]+ )*)\) \) \) ",
    ),
    ("munin", "Munin", rb"# munin node at (?P<host>[\w.:-]+)\r?\n"),
    ("checkmk-agent", "Checkmk", rb"<<<check_mk>>>\r?\nVersion: (?P<version>\d[\w.]*)\r?\n"),
    ("freeswitch-event-socket", "FreeSWITCH", rb"Content-Type: (?:auth/request|text/rude-rejection)\n"),
    (
        "aprs-is",
        None,
        rb"# (?P<product>aprsc|javAPRSSrvr|aprsd|jAPRSIgate|APRSIS32) v?(?P<version>\d[\w.-]*)[^\r\n]*\r?\n",
    ),
    ("pjlink", None, rb"PJLINK (?:0|1 [0-9A-Fa-f]{8}|ERRA)\r"),
    ("hddtemp", "hddtemp", rb"(?:\|/dev/[\w/]+\|[^|\r\n]{0,80}\|(?:-?\d+|[A-Z]+)\|[CF*]\|)+\Z"),
    ("razor", "Razor", rb"sn=[A-Z]&srl=\d+&[!-~]*\r\n"),
    ("shoutcast", None, rb"ICY (?P<status>[1-5]\d\d) [^\r\n]*\r\n"),
)
_LINES = tuple([(name, product, re.compile(pattern)) for name, product, pattern in _GREETINGS])
_MUNIN_VERSION = re.compile(rb"munins node on [\w.:-]+ version: (\d[\w.-]*)\n")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say what a greeting says."""
    data = answer.data
    if answer.transport == "udp":
        return
    for name, product, pattern in _LINES:
        found = pattern.match(data[:_MOST])
        if found is not None:
            yield _of_line(name, product, found)
            return
    version = _MUNIN_VERSION.match(data)
    if version is not None:
        yield Match("munin", CERTAIN, "munin's version", "Munin", text_of(version[1]))
    for read in _STRUCTURES:
        yield from read(data)
    if answer.probe == "" and answer.end == "open":
        yield from _nsca(data)


def _of_line(name: str, product: str | None, found: re.Match[bytes]) -> Match:
    told = {key: text_of(value.strip()) for key, value in found.groupdict().items() if value}
    if told.get("protocol_version") == "0.19.0":
        product = None  # of MPD, but Mopidy says so too
    product, version = told.pop("product", product), told.pop("version", None)
    facts = tuple([(key.replace("_", " "), value) for key, value in told.items()])
    confirm = MUNIN_VERSION if name == "munin" else None
    return Match(
        name, 0.9 if confirm else CERTAIN, "a greeting that names it", product, version, facts, confirm=confirm
    )


def _gpsd(data: bytes) -> Iterator[Match]:
    """Read gpsd's first object, which is of class VERSION."""
    if not data.startswith(b'{"class":"VERSION"'):
        return
    try:
        told = json.loads(data.splitlines()[0])
    except (ValueError, RecursionError):
        return
    release = str(told.get("release", ""))
    facts = (("protocol version", f"{told.get('proto_major')}.{told.get('proto_minor')}"),)
    yield Match("gpsd", CERTAIN, "gpsd's VERSION", "gpsd", text_of(release.encode()) or None, facts)


def _hpfeeds(data: bytes) -> Iterator[Match]:
    """Read a message of type INFO (1): its length, the name of the broker with its length, and four random bytes."""
    if len(data) < 10 or data[4] != 1 or int.from_bytes(data[:4], "big") != len(data):  # noqa: PLR2004  # two lengths, a type, a nonce
        return
    name = data[6:-4]
    if len(name) == data[5] and name.isascii() and text_of(name).isprintable():
        yield Match("hpfeeds", CERTAIN, "hpfeeds' INFO", facts=(("broker", text_of(name)),))


def _ndmp(data: bytes) -> Iterator[Match]:
    """Read NOTIFY_CONNECTION_STATUS (0x502), a request, after the mark of the last fragment (RFC 5531, section 11)."""
    if len(data) < 36 or int.from_bytes(data[:4], "big") != 0x8000_0000 | len(data) - 4:  # noqa: PLR2004  # a mark and eight words
        return
    _, _, kind, message, reply, error, reason, version = struct.unpack(">8I", data[4:36])
    if (kind, message, reply, error) == (0, 0x502, 0, 0) and reason < 4 and version < 16:  # noqa: PLR2004  # of an enumeration; now 4
        yield Match("ndmp", CERTAIN, "NDMP connection status", facts=(("protocol version", str(version)),))


def _oscar(data: bytes) -> Iterator[Match]:
    """Read a FLAP frame on channel 1: a mark, the channel, a number, a length, and version 1."""
    if data[:2] == b"\x2a\x01" and data[4:] == b"\0\4\0\0\0\1":
        yield Match("oscar", CERTAIN, "FLAP version", service_names=("aol",))


_STRUCTURES: tuple[Callable[[bytes], Iterator[Match]], ...] = (_gpsd, _hpfeeds, _ndmp, _oscar)


def _nsca(data: bytes) -> Iterator[Match]:
    """Read NSCA's first packet: 128 random bytes and the time."""
    if len(data) == 132 and len(set(data)) > 75 and int.from_bytes(data[128:], "big") in _YEARS:  # noqa: PLR2004  # 128 and four; of random bytes about 100 differ
        yield Match("nsca", HINT, "NSCA's first packet: random bytes and the time")
