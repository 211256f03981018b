"""LDAP (RFC 4511), and by UDP CLDAP ([MS-ADTS], section 3.1.1.3.1.3): what the root of the tree tells to anybody.

The root DSE (RFC 4512, section 5.1) may be read without a bind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify import ber
from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer
    from portulan.identify.ber import Element

SEARCH, ENTRY, DONE, EXTENDED = 0x63, 0x64, 0x65, 0x78  # the operations, section 4.2 to 4.12
PRESENT = 0x87  # a filter, section 4.5.1
_DISCONNECTION = b"1.3.6.1.4.1.1466.20036"  # section 4.4.1
_WANTED = (b"objectClass", b"vendorName", b"vendorVersion", b"namingContexts", b"dnsHostName", b"supportedCapabilities")
_ACTIVE_DIRECTORY = b"1.2.840.113556.1.4.800"  # [MS-ADTS], section 3.1.1.3.4.3
_VENDORS = {
    "389 Project": "389 Directory Server",
    "Apache Software Foundation": "ApacheDS",
    "Samba Team (https://www.samba.org)": "Samba",
}
_VERSION = re.compile(r"\d[\w.-]*")


def search(nonce: bytes) -> bytes:
    """Return a search for the root DSE whose message ID is of the nonce."""
    operation = ber.write(
        SEARCH,
        ber.string(b""),  # its name
        *(ber.integer(0, ber.ENUMERATED), ber.integer(0, ber.ENUMERATED)),  # itself alone; aliases stay what they are
        *(ber.integer(1), ber.integer(5), ber.write(1, b"\0")),  # one entry, five seconds, types and values
        ber.write(PRESENT, b"objectClass"),
        ber.sequence(*[ber.string(name) for name in _WANTED]),
    )
    return ber.sequence(ber.integer(ber.positive(nonce)), operation)


PROBES = (
    Probe("ldap", search, ("ldap",), ports=(389, 636, 3268, 3269), rank=24, after=("silent/silent",)),
    Probe("cldap", search, ("cldap",), "udp", (389,), rank=38, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ldap of a result with our message ID, and of a notice of disconnection."""
    name = "cldap" if answer.transport == "udp" else "ldap"
    first = ber.read(answer.data)
    if first is None or first.tag != ber.SEQUENCE or len(first.parts) < 2:  # noqa: PLR2004  # a number and an operation
        return
    number, operation = first.parts[:2]
    if number.tag != ber.INTEGER:
        return
    if operation.tag == EXTENDED and number.number == 0 and _DISCONNECTION in operation.value:
        yield Match(name, CERTAIN, "LDAP notice of disconnection", service_names=("ldap",))
    elif operation.tag in {ENTRY, DONE} and any(answer.nonce) and number.number == ber.positive(answer.nonce):
        values = _attributes(operation) if operation.tag == ENTRY else {}
        product, version = _software(values)
        facts = [(text_of(name), text_of(values[name][0])) for name in _WANTED[1:5] if values.get(name)]
        yield Match(
            name, CERTAIN, "LDAP result with our number", product, version, tuple(facts), service_names=("ldap",)
        )


def _attributes(entry: Element) -> dict[bytes, list[bytes]]:
    """Return what an entry has, by the names that we asked for."""
    found: dict[bytes, list[bytes]] = {}
    wanted = {name.lower(): name for name in _WANTED}
    for attribute in entry.parts[1].parts if len(entry.parts) > 1 else ():
        if len(attribute.parts) > 1:
            kind, values = attribute.parts[:2]
            found[wanted.get(kind.value.lower(), kind.value)] = [value.value for value in values.parts]
    return found


def _software(values: dict[bytes, list[bytes]]) -> tuple[str | None, str | None]:
    """Return product and version: by RFC 3045, else by what only one product has."""
    if values.get(b"vendorName"):
        named = _VERSION.search(text_of((values.get(b"vendorVersion") or [b""])[0]))
        vendor = text_of(values[b"vendorName"][0])
        return _VENDORS.get(vendor, vendor), named[0] if named else None
    if b"OpenLDAProotDSE" in values.get(b"objectClass", ()):
        return "OpenLDAP", None
    if _ACTIVE_DIRECTORY in values.get(b"supportedCapabilities", ()):
        return "Active Directory", None
    return None, None
