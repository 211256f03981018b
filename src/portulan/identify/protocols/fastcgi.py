"""What stands between web servers and applications: FastCGI (its specification 1.0), uwsgi and SCGI.

uwsgi: uwsgi-docs.readthedocs.io/en/latest/Protocol.html. SCGI: python.ca/scgi/protocol.txt.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_RECORD = struct.Struct(">BBHHBx")  # version, type, request, length of the content and of the padding
VERSION, GET_VALUES, RESULT, END_REQUEST, UNKNOWN_TYPE = 1, 9, 10, 3, 11
_ASKED = (b"FCGI_MAX_CONNS", b"FCGI_MPXS_CONNS")
_PAIRS = b"".join([bytes([len(name), 0]) + name for name in _ASKED])
VALUES = _RECORD.pack(VERSION, GET_VALUES, 0, len(_PAIRS), 0) + _PAIRS

_VARIABLES = {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/", "SERVER_NAME": "portulan.invalid", "SERVER_PORT": "1"}


def _uwsgi() -> bytes:
    """Return a request of uwsgi: a modifier, the length and the variables, all numbers with the low byte first."""
    words = [word.encode() for pair in _VARIABLES.items() for word in pair]
    body = b"".join([struct.pack("<H", len(word)) + word for word in words])
    return struct.pack("<BHB", 0, len(body), 0) + body


_CGI = b"CONTENT_LENGTH\00\0SCGI\01\0REQUEST_METHOD\0HEAD\0REQUEST_URI\0/\0"
PROBES = (
    Probe("fastcgi", fixed(VALUES), ("fastcgi",), ports=(9000,), rank=48, in_tls=False, after=("closes", "resets")),
    Probe(
        "uwsgi",
        fixed(_uwsgi()),
        ("uwsgi",),
        ports=(3031,),
        rank=30,
        in_tls=False,
        after=("silent/closes", "silent/silent"),
    ),
    Probe("scgi", fixed(b"%d:%s," % (len(_CGI), _CGI)), ("scgi",), ports=(4000,), rank=88, in_tls=False),
)


# An application's answer. Whoever speaks HTTP itself finds bytes that are none a bad request.
_UNDERSTOOD = re.compile(rb"HTTP/1\.[01] (?:[23]\d\d|401|403|404|500) ")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say fastcgi of management records, uwsgi of a request understood, scgi of a status as CGI writes it."""
    data = answer.data
    if answer.probe == "uwsgi" and _UNDERSTOOD.match(data):
        yield Match("uwsgi", 0.9, "the request of uwsgi was understood", over=("http",))
    elif answer.probe == "scgi" and data.startswith(b"Status: ") and data[8:11].isdigit():
        yield Match("scgi", LIKELY, "the status line of CGI")
    elif len(data) >= _RECORD.size and data != answer.sent:
        version, kind, request, length, padding = _RECORD.unpack_from(data)
        whole = len(data) == _RECORD.size + length + padding
        if version == VERSION and request == 0 and whole and kind == RESULT and b"FCGI_M" in data:
            yield Match("fastcgi", CERTAIN, "FastCGI values")
        elif version == VERSION and request == 0 and whole and kind == UNKNOWN_TYPE and length == 8:  # noqa: PLR2004  # section 4.2
            yield Match("fastcgi", LIKELY, "FastCGI unknown type")
