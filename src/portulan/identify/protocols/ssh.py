"""SSH: the identification string that both sides send first (RFC 4253, section 4.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

# SSH-protoversion-softwareversion SP comments; lines may come before it, which do not begin with "SSH-". A minus sign
# is not allowed in the software's version, and found there all the same (TinySSH).
_IDENTIFICATION = re.compile(rb"(?:\A|\n)SSH-(1\.\d+|2\.0)-([!-~]+)(?: ([ -~]*))?\r?\n")
_OTHER_GREETINGS = re.compile(rb"^(?:\d\d\d[ -]|\* |\+OK|HTTP/|RFB )", re.MULTILINE)
_LINES_BEFORE = 1_024
_PRODUCTS = {"OpenSSH": "OpenSSH", "dropbear": "Dropbear", "libssh": "libssh", "AsyncSSH": "AsyncSSH", "Go": "Go SSH"}


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ssh of an identification string."""
    found = _IDENTIFICATION.search(answer.data, 0, _LINES_BEFORE)
    if found is None or _OTHER_GREETINGS.search(answer.data[: found.start()]):
        return
    protocol, software, comments = found.groups()
    name, _, version = text_of(software).partition("_")
    facts = [("protocol version", text_of(protocol)), ("software", text_of(software))]
    if comments:
        facts.append(("comments", text_of(comments)))
    product = _PRODUCTS.get(name, name)
    yield Match("ssh", CERTAIN, "SSH identification string", product, version or None, tuple(facts))
