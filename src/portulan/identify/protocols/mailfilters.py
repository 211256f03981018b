"""What mail servers ask about mail: ClamAV, SpamAssassin, milters, policy servers, maps, Pyzor.

clamd(8), "Commands". spamd: SpamAssassin's `spamd/PROTOCOL`. Milter: sendmail's `libmilter/docs`, "mfdef.h", option
negotiation. Policy: postfix.org, SMTPD_POLICY_README. Maps: tcp_table(5), socketmap_table(5). Pyzor: its manual.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CLAMD = Probe("clamd-version", fixed(b"nVERSION\n"), ("clamd",), ports=(3310,), rank=92)
SPAMD_PING = Probe("spamd-ping", fixed(b"PING SPAMC/1.5\r\n\r\n"), ("spamd",), ports=(783,), rank=92)
_OPTNEG = b"\0\0\0\x0dO" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF)  # version, actions and steps that may be left out
PROBES = (
    CLAMD,
    SPAMD_PING,
    Probe("milter", fixed(_OPTNEG), ("milter",), ports=(8891, 8893), rank=84, in_tls=False),
    Probe(
        "postfix-policy",
        # Of a client that has only connected: greylisting begins with a recipient.
        fixed(
            b"request=smtpd_access_policy\nprotocol_state=CONNECT\nprotocol_name=SMTP\nclient_address=192.0.2.1\n"
            b"client_name=portulan.invalid\n\n"
        ),
        ("postfix-policy",),
        ports=(10023, 10031, 12525, 12340),
        rank=86,
        in_tls=False,
        after=("silent",),
    ),
    Probe("socketmap", fixed(b"25:portulan portulan.invalid,"), ("socketmap",), ports=(8461,), rank=94, in_tls=False),
    Probe("tcp-table", fixed(b"get portulan.invalid\n"), ("tcp-table",), rank=95, in_tls=False),
    Probe(
        "pyzor",
        lambda nonce: b"Op: ping\nThread: %d\nPV: 2.1\nUser: anonymous\nTime: 0\nSig: 0\n\n" % thread_of(nonce),
        ("pyzor",),
        "udp",
        (24441,),
        rank=88,
        in_tls=False,
    ),
)

_CLAMD_UNKNOWN = re.compile(rb"(?:\d+: )?UNKNOWN COMMAND[\n\0]")
_CLAMD_VERSION = re.compile(rb"(?:\d+: )?(ClamAV) (\d[\w.+~-]*)(?:/(\d+)/[^\n\0]*)?[\n\0]")
_SPAMD = re.compile(rb"SPAMD/(\d\.\d) (\d{1,3}) ([^\r\n]*)\r\n")
_POLICY = re.compile(
    rb"action=(dunno|ok|defer_if_permit|defer|reject|prepend|discard|hold|\d{3})\b[^\n]*\n\n", re.IGNORECASE
)
_SOCKETMAP = re.compile(rb"(\d{1,5}):((?:OK|NOTFOUND|TEMP|TIMEOUT|PERM) [^,]*),")
_TCP_TABLE = re.compile(rb"(?:200|400|500) [!-~]*[^\r\n]{0,200}\n")


def thread_of(nonce: bytes) -> int:
    """Return the number of our question to Pyzor: from 1024 on are a client's own."""
    return 1024 + int.from_bytes(nonce[:2], "big") % 64_000


def recognise(answer: Answer) -> Iterator[Match]:
    """Say which of them it is."""
    data = answer.data
    if answer.transport == "udp":
        fields = dict(re.findall(rb"(?m)^(Code|Diag|PV|Thread): ([^\r\n]*)", data[:1_000]))
        if (
            {b"Code", b"PV"} <= set(fields)
            and any(answer.nonce)
            and fields.get(b"Thread") == b"%d" % thread_of(answer.nonce)
        ):
            yield Match("pyzor", CERTAIN, "Pyzor's answer to our thread", facts=(("version", text_of(fields[b"PV"])),))
        return
    clamav, spamd = _CLAMD_VERSION.fullmatch(data), _SPAMD.match(data)
    if clamav is not None:
        signatures = (("signatures", text_of(clamav[3])),) if clamav[3] else ()
        yield Match("clamd", CERTAIN, "clamd's version", "ClamAV", text_of(clamav[2]), signatures)
    elif _CLAMD_UNKNOWN.fullmatch(data):
        yield Match("clamd", LIKELY, "clamd's error", confirm=CLAMD, again=True)
    elif spamd is not None:
        facts = (("protocol version", text_of(spamd[1])), ("answer", text_of(spamd[3])))
        yield Match("spamd", CERTAIN, "spamd's answer", "SpamAssassin", None, facts)
    elif answer.probe == "milter" and data[:4] == b"\0\0\0\x0d":
        yield from _milter(data)
    elif _POLICY.fullmatch(data) and answer.probe not in {"", "tls"}:
        yield Match("postfix-policy", CERTAIN, "an action", facts=(("action", text_of(data.strip())),))
    elif (found := _SOCKETMAP.fullmatch(data)) and int(found[1]) == len(found[2]):
        yield Match("socketmap", CERTAIN, "an answer in a netstring", facts=(("answer", text_of(found[2])),))
    elif answer.probe == "tcp-table" and _TCP_TABLE.fullmatch(data):
        yield Match("tcp-table", HINT, "an answer of a table")


def _milter(data: bytes) -> Iterator[Match]:
    """Read the answer to option negotiation: the same, with what the filter wants of it."""
    if len(data) != 17 or data[4:5] != b"O" or data == _OPTNEG:  # noqa: PLR2004  # a length, a command, three words
        return
    version, actions, steps = struct.unpack(">III", data[5:])
    if 2 <= version <= 6 and not actions & ~0x1FF and not steps & ~0x1FFFFF:  # noqa: PLR2004  # versions that there are
        yield Match("milter", CERTAIN, "a filter's answer to option negotiation", facts=(("version", str(version)),))
