"""What speaks against the numbers of an application to IANA: ports, and the service codes of DCCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from portulan.coordinate.application import (
    CODE,
    PORT,
    UNAUTHORIZED,
    Lint,
    is_of_the_ietf,
    numbers_of,
    wants_system_port,
)
from portulan.coordinate.servicenames import bare, names_of
from portulan.model import TRANSPORTS, tier_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portulan.coordinate.application import Application
    from portulan.model import Assignment, Entry, KnownUse, TransportEntry

MAX_TOLD: Final = 4
"""So many users of a number are named."""

POOL: Final = 100
"""Who uses more numbers than this finds another where one is taken."""

PRIVATE_CODES: Final = range(0x3F000000, 0x40000000)
UNUSABLE_CODES: Final = (0, 0xFFFFFFFF)
"""DCCP service codes that IANA does not assign (RFC 6335, section 8.1.1)."""


def of_ports(application: Application, entries: Mapping[int, Entry]) -> Iterator[Lint]:
    """Yield what speaks against the ports; `entries` has each below 49152."""
    if len(application.ports) > 1:
        yield Lint(
            "several-ports",
            PORT,
            "refused",
            f"{len(application.ports)} ports are applied for",
            "multiplex on one, or agree there on dynamic ports for the rest",
            "RFC 6335, section 7.2",
        )
    if wants_system_port(application):
        yield Lint(
            "port-system",
            PORT,
            "asked" if is_of_the_ietf(application) else "refused",
            "ports from 0 to 1023 are granted by IETF Review or IESG Approval only",
            "take one from 1024 to 49151; else write an Internet-Draft, and name it in the reference",
            "RFC 6335, section 8.1.2",
        )
    for port in numbers_of(application):
        if tier_of(port) == "dynamic":
            yield Lint(
                "port-dynamic",
                PORT,
                "refused",
                f"{port} is a dynamic port, which is never assigned and must not identify a service",
                "take one from 1024 to 49151, or bind any dynamic port without asking IANA",
                "RFC 6335, section 8.1.2",
            )
        else:
            yield from _of_number(application, port, entries[port])


def _of_number(application: Application, port: int, entry: Entry) -> Iterator[Lint]:
    """Tell of a number that is somebody's, by the registry or by use."""
    wanted = [entry.on(transport) for transport in application.transports or TRANSPORTS]
    assigned = [on for on in entry.transports if on.state == "assigned"]
    source = "RFC 6335, section 8.1"
    advice = f"take another number (portulan suggest {application.name}), or let IANA choose: --port user"
    theirs = [on for on in assigned if application.name.lower() not in names_of(on.assignments)]
    is_ours = len(theirs) < len(assigned)
    if is_ours:  # another transport for a name with its number, of which the name's own finding tells
        theirs = [on for on in theirs if on in wanted]
    if theirs:
        told = ", ".join(f"{port}/{on.transport} ({on.assignments[0].service_name or 'private use'})" for on in theirs)
        kept = "" if any(on in wanted for on in theirs) else ", and with it the other transports are kept"
        yield Lint("port-assigned", PORT, "refused", f"assigned to somebody else: {told}{kept}", advice, source)
    elif is_ours:
        return
    elif reserved := [on for on in wanted if on.state == "reserved"]:
        told = ", ".join(f"{port}/{on.transport}" for on in reserved)
        yield Lint("port-reserved", PORT, "refused", f"reserved: {told}", advice, source)
    elif told := "; ".join(sorted({former for on in wanted for former in _former(on)})):
        statement = f"{port} was somebody else's, and is given again only when no other is left: {told}"
        yield Lint("port-returned", PORT, "asked", statement, advice, "RFC 6335, section 8.2")
    uses = [use for use in entry.known_uses if use.relation == "unofficial" and use.default and not _is_pool(use)]
    others = sorted({f"{use.product} ({use.attestation})" for use in uses if not _is_own(application, use)})
    if others:
        told = ", ".join(others[:MAX_TOLD]) + (f" and {len(others) - MAX_TOLD} more" if others[MAX_TOLD:] else "")
        advice = f"list them in {UNAUTHORIZED}, or {advice}"
        yield Lint("port-in-use", PORT, "advised", f"{port} is used by {told}", advice, "RFC 6335, section 8.1.1")
    if any(_is_own(application, use) for use in uses):
        yield Lint(
            "port-used-before",
            PORT,
            "asked",
            f"{port} is known as a port of {application.name}, before it is assigned",
            "say since when, and how widely: use is no claim, and none is allowed in public before the assignment",
            "RFC 6335, section 8.1.1; RFC 7605, section 7.8",
        )


def _former(on: TransportEntry) -> Iterator[str]:
    """Yield what rows that assign nothing say beyond that."""
    for row in on.other_rows:
        if row.description and row.description.casefold() != "unassigned":
            yield row.description


def _is_pool(use: KnownUse) -> bool:
    return use.ports.last - use.ports.first >= POOL


def _is_own(application: Application, use: KnownUse) -> bool:
    return bare(application.name) in map(bare, use.product.split())


def of_code(application: Application, names: Mapping[str, Sequence[Assignment]]) -> Iterator[Lint]:
    """Yield what speaks against the service code; `names` are the registry's rows."""
    code = application.code
    if code is None:
        return
    source = "RFC 6335, section 8.1.1"
    if "dccp" not in application.transports:
        yield Lint("code-unwanted", CODE, "refused", "a service code is for DCCP only", "leave it out", source)
    if code in UNUSABLE_CODES or code in PRIVATE_CODES:
        yield Lint("code-reserved", CODE, "refused", f"{code} is reserved or for private use", "take another", source)
    owners = {row.service_name for rows in names.values() for row in rows if row.service_code == str(code)}
    if owners and not owners & {application.name}:
        told = ", ".join(sorted(filter(None, owners)))
        yield Lint("code-taken", CODE, "refused", f"{code} is the code of {told}", "take another", source)
