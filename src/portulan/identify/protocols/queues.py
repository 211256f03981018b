"""Small queues: Gearman (gearman.org/protocol), beanstalkd (its doc/protocol.txt), NSQ (nsq.io, "TCP Protocol")."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

ECHO_REQ, ECHO_RES = 16, 17

GEARMAN_VERSION = Probe("gearman-version", fixed(b"version\n"), ("gearman",), ports=(4730,), rank=92)
STATS = Probe("beanstalk-stats", fixed(b"stats\r\n"), ("beanstalk",), ports=(11300,), rank=82)
_WISH = json.dumps({"client_id": "portulan", "feature_negotiation": True}).encode()
IDENTIFY = Probe(
    "nsq-identify",
    fixed(b"  V2IDENTIFY\n" + struct.pack(">I", len(_WISH)) + _WISH),
    ("nsq",),
    ports=(4150,),
    rank=84,
)
PROBES = (
    Probe(
        "gearman-echo",
        lambda nonce: b"\0REQ" + struct.pack(">II", ECHO_REQ, len(nonce)) + nonce,
        ("gearman",),
        ports=(4730,),
        rank=78,
    ),
    GEARMAN_VERSION,
    STATS,
    IDENTIFY,
)

_GEARMAN_ERROR = re.compile(rb"(?:ERR (?:UNKNOWN_COMMAND|unknown_command) Unknown\+server\+command[!-~]*\r?\n)+")
_GEARMAN_VERSION = re.compile(rb"(?:OK )?(\d+\.\d+[\w.+-]{0,30})\r?\n")
_BEANSTALK_ERROR = re.compile(rb"(?:UNKNOWN_COMMAND\r\n)+")
_BEANSTALK_STATS = re.compile(rb"OK \d{1,5}\r\n---\ncurrent-jobs-urgent: \d")
_BEANSTALK_VERSION = re.compile(rb'\nversion: "?(\d[\w.+-]*)"?\n')
# A frame is a size, a type (1: an error) and what it says; a lookup daemon sends no type.
_NSQ_ERRORS = {b"\0\0\0\x12\0\0\0\1E_BAD_PROTOCOL": "nsqd", b"\0\0\0\x0eE_BAD_PROTOCOL": "nsqlookupd"}


def recognise(answer: Answer) -> Iterator[Match]:
    """Say gearman, beanstalk or nsq, whose errors name them, and which then tell their version."""
    data = answer.data
    yield from _gearman(answer)
    if _BEANSTALK_STATS.match(data):
        version = _BEANSTALK_VERSION.search(data)
        told = None if version is None else text_of(version[1])
        yield Match("beanstalk", CERTAIN, "beanstalkd's statistics", "beanstalkd", told)
    elif _BEANSTALK_ERROR.fullmatch(data):
        yield Match("beanstalk", LIKELY, "UNKNOWN_COMMAND, as beanstalkd says it", confirm=STATS, again=True)
    for error, program in _NSQ_ERRORS.items():
        if data == error:
            confirm = IDENTIFY if program == "nsqd" else None
            strength = 0.9 if confirm else CERTAIN
            yield Match("nsq", strength, "NSQ's error", program, confirm=confirm, again=True)
    yield from _nsq_identity(data)


def _gearman(answer: Answer) -> Iterator[Match]:
    data = answer.data
    head = b"\0RES" + struct.pack(">II", ECHO_RES, len(answer.nonce))
    if any(answer.nonce) and data == head + answer.nonce:
        yield Match("gearman", 0.9, "Gearman's echo of our bytes", confirm=GEARMAN_VERSION)
    elif _GEARMAN_ERROR.fullmatch(data):
        yield Match("gearman", 0.9, "Gearman's error", confirm=GEARMAN_VERSION, again=True)
    elif answer.probe == GEARMAN_VERSION.name:
        version = _GEARMAN_VERSION.fullmatch(data)
        if version is not None:
            yield Match("gearman", CERTAIN, "Gearman's version", None, text_of(version[1]))


def _nsq_identity(data: bytes) -> Iterator[Match]:
    """Read the answer to IDENTIFY: a frame of type 0 with JSON in it."""
    if len(data) < 10 or int.from_bytes(data[:4], "big") > len(data) - 4 or data[4:9] != b"\0\0\0\0{":  # noqa: PLR2004  # size, type, {}
        return
    try:
        told = json.loads(data[8 : 4 + int.from_bytes(data[:4], "big")])
    except (ValueError, RecursionError):
        return
    if "max_rdy_count" in told and isinstance(told.get("version"), str):
        facts = (("authentication", "required" if told.get("auth_required") else "not required"),)
        version = text_of(told["version"].encode())
        yield Match("nsq", CERTAIN, "NSQ's answer to IDENTIFY", "nsqd", version, facts)
