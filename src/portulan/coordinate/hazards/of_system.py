"""Hazards of the system: numbers that it gives away, keeps, guards or excludes, here or where the port is to work."""

from __future__ import annotations

from portulan.coordinate.cited import cited
from portulan.coordinate.hazards.nouns import Hazard
from portulan.coordinate.system import NAMES, SOURCES, systems_for, within
from portulan.model import tier_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.coordinate.hazards.nouns import Ground, Purpose, Severity
    from portulan.model import PortRange, System

RFC_6335 = "https://www.rfc-editor.org/rfc/rfc6335#section-8.1.2"
WILDCARDS = frozenset({"0.0.0.0", "::"})
_LINUX = "/proc/sys/net/ipv4/"


def h6_ephemeral(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of each system that gives the number to those who dial, unless it is told to keep it."""
    for system in systems_for(ground.system, wanted.systems):
        if within(port, (system.ephemeral,)) and not within(port, system.reserved):
            reason = f"{NAMES.get(system.name, system.name)} gives {_say(system.ephemeral)} to those who dial"
            yield Hazard("H6", port, "warns", reason, _source(system, ground, "ip_local_port_range"))


def h7_reserved(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:  # noqa: ARG001  # all have one form
    """Favour what this system never gives to those who dial, for whoever reserved it (kernel's ip-sysctl)."""
    system = ground.system
    if system and within(port, system.reserved):
        reason = "this machine keeps it from those who dial (ip_local_reserved_ports)"
        yield Hazard("H7", port, "favours", reason, f"{_LINUX}ip_local_reserved_ports")


def h8_dynamic(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:  # noqa: ARG001  # as said above
    """Tell of a dynamic port that others are to know by heart (RFC 6335, section 8.1.2)."""
    if wanted.published and tier_of(port) == "dynamic":
        reason = "a dynamic port (49152-65535) must not be used as a service identifier"
        yield Hazard("H8", port, "warns", reason, RFC_6335)


def h12_excluded(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of numbers that nobody may bind on Windows: of this machine, or such as machines have."""
    system = ground.system
    if system and system.name == "windows":
        excluded = within(port, system.excluded)
        if excluded:
            reason = f"Windows lets nobody bind {_say(excluded)} here"
            yield Hazard("H12", port, "blocks", reason, "netsh interface ipv4 show excludedportrange")
        elif _is_forbidden(port, ground, wanted):
            yield Hazard("H12", port, "blocks", "Windows forbids to bind it here (WSAEACCES)", "bind, tried here")
    elif "windows" in wanted.systems:
        for row in cited("windows-excluded", port, wanted.transport):
            reason = f"Windows may exclude {_say(row.ports)} ({row.attestation}): {row.name} {row.says}"
            yield Hazard("H12", port, "warns", reason, row.citation.url)


def h13_macos(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of what macOS listens on by itself, and of low numbers, which it guards on single addresses alone."""
    if not any(system.name == "macos" for system in systems_for(ground.system, wanted.systems)):
        return
    for row in (row for transport in ("tcp", "udp") for row in cited("macos-services", port, transport)):
        severity: Severity = "blocks" if row.transport == wanted.transport else "warns"
        reason = f"on macOS {row.name} has {port}/{row.transport} ({row.attestation}): it {row.says}"
        yield Hazard("H13", port, severity, reason, row.citation.url)
    if tier_of(port) == "system" and not wanted.privileged:
        reason = "on macOS who is not root may bind it on all addresses at once, but not on 127.0.0.1 alone"
        source = "https://zameermanji.com/blog/2024/1/5/binding-to-privileged-ports-without-root-on-macos/"
        yield Hazard("H13", port, "notes", reason, source)


def h14_privileged(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of a number that needs a right which what is to listen there has not."""
    for system in systems_for(ground.system, wanted.systems):
        if port < system.unprivileged_from and not wanted.privileged:
            name = NAMES.get(system.name, system.name)
            reason = f"{name} lets only the privileged bind numbers below {system.unprivileged_from}"
            yield Hazard("H14", port, "blocks", reason, _source(system, ground, "ip_unprivileged_port_start"))
            return
    if ground.system and ground.system.name != "windows" and _is_forbidden(port, ground, wanted):
        yield Hazard("H14", port, "blocks", "this user may not bind it here (EACCES)", "bind(2), tried here")


def _source(system: System, ground: Ground, setting: str) -> str:
    if system is ground.system and system.name == "linux":
        return _LINUX + setting
    return SOURCES.get(system.name, RFC_6335)  # type: ignore[call-overload, no-any-return]  # another system has none


def _is_forbidden(port: int, ground: Ground, wanted: Purpose) -> bool:
    """Tell whether a trial was refused for want of a right, on all addresses at once."""
    return any(
        refused.error.endswith("EACCES") and refused.transport == wanted.transport and refused.address in WILDCARDS
        for refused in ground.refusals(port) or ()
    )


def _say(ports: PortRange) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"
