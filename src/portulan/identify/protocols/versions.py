"""What keeps versions of files and is asked for them: git, CVS and Perforce; Subversion greets.

The git protocol is in git's `protocol-common` and `gitprotocol-pack`; the password server of CVS in its `cvsclient`
manual, "How to connect to and authenticate oneself"; of Perforce's messages only what its client shows.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer


def git_request(nonce: bytes) -> bytes:
    """Ask for a repository that nobody has, in a pkt-line: four digits of length, then what is wanted and from whom."""
    line = b"git-upload-pack /portulan-%s\0host=portulan.invalid\0" % nonce[:8].hex().encode()
    return b"%04x" % (len(line) + 4) + line


def cvs_request(nonce: bytes) -> bytes:
    """Ask whether nobody, without a password, may come in to a repository that nobody has."""
    root = b"/portulan-" + nonce[:8].hex().encode()
    return b"BEGIN VERIFICATION REQUEST\n%s\nportulan\nA\nEND VERIFICATION REQUEST\n" % root


def perforce_message(*fields: tuple[bytes, bytes]) -> bytes:
    """Return a message: the sum of its length's bytes by exclusive or, the length, and names with values."""
    body = b"".join([name + b"\0" + struct.pack("<I", len(value)) + value + b"\0" for name, value in fields])
    length = struct.pack("<I", len(body))
    return bytes([length[0] ^ length[1] ^ length[2] ^ length[3]]) + length + body


PROBES = (
    Probe("git", git_request, ("git",), ports=(9418,), rank=83, in_tls=False, after=("resets", "closes")),
    Probe("cvs", cvs_request, ("cvs",), ports=(2401,), rank=90, in_tls=False, after=("closes",)),
    Probe(
        "perforce",
        lambda _nonce: perforce_message(
            (b"cmpfile", b""), (b"client", b"80"), (b"api", b"99999"), (b"func", b"protocol")
        ),
        ("perforce",),
        ports=(1666,),
        rank=90,
    ),
)

_PACKET = re.compile(rb"([0-9a-f]{4})(?:ERR ([^\0]*)|[0-9a-f]{40}(?:[0-9a-f]{24})? [!-~]{1,200}\0)", re.DOTALL)
_CVS = re.compile(rb"(?:(?:E [^\n]*|cvs [^\n]*|error [^\n]*|/portulan-[^\n]*)\n)*I (?:HATE|LOVE) YOU\n")
_CVS_ERROR = re.compile(
    rb"^(?:E |cvs (?:\[?pserver[^\n]*\]?|server): )[^\n]*(?:bad auth protocol|repository|login)[^\n]*\n", re.MULTILINE
)
_SERVER = re.compile(rb"\bserver2?\x00\x02\x00\x00\x00(\d\d)\0")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say git of a pkt-line with an error or a reference, cvs of its verdict, perforce of its answer."""
    data = answer.data
    if answer.transport == "udp":
        return
    packet = _PACKET.match(data)
    if packet is not None and int(packet[1], 16) <= len(data):
        facts = (("answer", text_of(packet[2].strip())),) if packet[2] else ()
        yield Match("git", CERTAIN, "git's pkt-line", facts=facts)
    elif _CVS.fullmatch(data):
        yield Match("cvs", CERTAIN, "the verdict of CVS's password server", service_names=("cvspserver",))
    elif _CVS_ERROR.search(data[:500]):
        yield Match("cvs", LIKELY, "an error of CVS's server", service_names=("cvspserver",))
    elif len(data) > 12 and data[0] == data[1] ^ data[2] ^ data[3] ^ data[4] and data != answer.sent:  # noqa: PLR2004  # a head and a field
        length = int.from_bytes(data[1:5], "little")
        if length <= len(data) - 5 and b"func\0\x08\0\0\0protocol\0" in data[: length + 5] and _SERVER.search(data):
            yield Match("perforce", CERTAIN, "Perforce's protocol message", "Perforce", service_names=("p4",))
