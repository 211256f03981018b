"""SphinxAPI, the own protocol of Sphinx and Manticore Search (sphinxsearch.com/docs, "SphinxAPI"; the servers' api/).

A server sends the version of the protocol first, four bytes; then a client sends its own, and a command.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

VERSION = struct.pack(">I", 1)
COMMAND_STATUS, STATUS_VERSION = 5, 0x101
STATUS = Probe(
    "sphinx-status",
    fixed(VERSION + struct.pack(">HHII", COMMAND_STATUS, STATUS_VERSION, 4, 1)),
    ("sphinx",),
    ports=(9312,),
    rank=98,
)
PROBES = (STATUS,)

_OK, _ERROR, _WARNING = 0, 1, 3
_INVALID = re.compile(rb"(?:invalid|unknown) command \(code=\d+, len=-?\d+\)|client version is .{1,100}")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say sphinx of its statistics, and of an error to what is no command of it."""
    data = answer.data
    if data == VERSION and not answer.probe:
        yield Match("sphinx", HINT, "a version of four bytes", confirm=STATUS)
        return
    if answer.before != VERSION:
        if not data.startswith(VERSION):
            return
        data = data[len(VERSION) :]
    if len(data) < 12 or int.from_bytes(data[4:8], "big") > len(data) - 8:  # noqa: PLR2004  # status, version, length, more
        return
    status, _, _, more = struct.unpack_from(">HHII", data)
    names = ("sphinxapi",)
    if status in {_OK, _WARNING} and b"\0\0\0\x06uptime\0\0\0" in data:
        yield Match("sphinx", CERTAIN, "statistics by SphinxAPI", service_names=names)
    elif status == _ERROR and _INVALID.fullmatch(data, 12, 12 + more):
        facts = (("error", text_of(data[12 : 12 + more])),)
        yield Match("sphinx", CERTAIN, "error of SphinxAPI", facts=facts, service_names=names)
