"""What masscan makes of the first bytes that a service sends, and of what else it learns of one port.

It goes by those bytes alone, and more than once by the number of the port, so what it calls `ftp` or `smtp` is only
taken for that where the greeting says so: both begin with 220 (RFC 959, section 5.4; RFC 5321, section 4.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import Observation, replace
from portulan.observe.readers.protocols import identify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Identification, Transport
    from portulan.observe.readers.source import Bad

HELD = 16_384
"""How many ports are held back for what comes later: a banner comes seconds after the port, and after others."""
CONFIDENCE = 0.8

NO_PROTOCOL = frozenset(
    """
    heartbleed html http.server safe scripting ticketbleed title unknown versioning vuln x509 x509ca
    """.split()  # noqa: SIM905  # a literal list would be twelve lines
)
"""Banners that say more of a port that has another for its protocol."""
_SERVER = re.compile(r"^Server:[ \t]*([^\s/]+)(?:/(\S+))?", re.MULTILINE | re.IGNORECASE)
"""The first product of the header (RFC 9110, section 10.2.4)."""
_SSH = re.compile(r"SSH-[\d.]+-([^\s_]+)(?:_(\S+))?")
"""The software version (RFC 4253, section 4.2); most write name and number with a line between them."""
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")


def unescape(text: str) -> str:
    r"""Return a banner as it came, where masscan wrote its bytes as `\x0d`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def identify_banner(name: str, banner: str, port: int, transport: Transport) -> Identification | None:
    """Return what a banner tells of the protocol; None where it tells nothing of it."""
    name = name.lower()
    if name in {"ftp", "smtp"}:
        said = banner.upper()
        name = "smtp" if "SMTP" in said else "ftp" if "FTP" in said else ""
    if not name or name in NO_PROTOCOL:
        return None
    product = _SERVER.search(banner) if name == "http" else _SSH.match(banner) if name == "ssh" else None
    return identify(
        name,
        port,
        transport,
        product=product[1] if product else None,
        version=product[2] if product else None,
        confidence=CONFIDENCE,
        reasons=("masscan read its banner",),
    )


def join(records: Iterable[Observation | Bad]) -> Iterator[Observation | Bad]:
    """Join what is said of one port in several records, where they are not too far apart."""
    held: dict[tuple[object, ...], Observation] = {}
    for record in records:
        if not isinstance(record, Observation):
            yield record
            continue
        port = record.local, record.transport
        before = held.get(port)
        held[port] = record if before is None else _together(before, record)
        if len(held) > HELD:
            yield held.pop(next(iter(held)))
    yield from held.values()


def _together(before: Observation, after: Observation) -> Observation:
    """Return the first record of a port, with what a later one tells of its protocol."""
    told = before.identification
    if after.identification is None or (told is not None and told.protocol is not None):
        return before
    return replace(before, identification=after.identification)
