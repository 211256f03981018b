"""H2 (h2database.com, org.h2.server.TcpServerThread) and HSQLDB (hsqldb.org, org.hsqldb.server.ServerConnection).

H2 tells every stranger by which versions of its protocol it does not understand him: an error by SQLSTATE, its message
and the trace of a stack, all texts in UTF-16 behind their lengths. HSQLDB speaks to drivers of ODBC as PostgreSQL does.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROBES = (
    # A start of a session for ODBC that does not say for which database.
    Probe("hsqldb", fixed(b"\0\0\0\x09\0\3\0\0\0"), ("hsqldb",), ports=(9001,), rank=72, after=("closes/closes",)),
)

_ERROR = bytes(4) + struct.pack(">I", 5) + "90047".encode("utf-16-be")  # DRIVER_VERSION_ERROR_2
_VERSION = re.compile(r'"(\d{1,3})"\Z')
_FOR_ODBC = re.compile(
    rb"E\0\0\0.SFATAL\0C08006\0M(Target database not identified|Bad length for \xc0\x80 packet\.[ \d]+extra bytes)\0\0",
    re.DOTALL,
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say h2 of the error about the version, hsqldb of those of its emulation of PostgreSQL."""
    data = answer.data
    if _FOR_ODBC.fullmatch(data):
        yield Match("hsqldb", CERTAIN, "HSQLDB's error for ODBC", "HSQLDB", over=("postgresql",))
    elif data.startswith(_ERROR):
        start = len(_ERROR) + 4
        message = data[start : start + 2 * int.from_bytes(data[start - 4 : start], "big")]
        told = message.decode("utf-16-be", "replace")
        version = _VERSION.search(told)
        facts = [("error", text_of(told.encode("ascii", "replace")))]
        if version is not None:
            facts.append(("protocol version", version[1]))
        yield Match("h2", CERTAIN, "H2's error about the version", "H2", None, tuple(facts))
