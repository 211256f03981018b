"""What operating systems do with numbers unless somebody told them otherwise, for machines that one cannot ask."""

from __future__ import annotations

from portulan.model import PortRange, System

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.coordinate.hazards.nouns import Systems

STARTS: dict[Systems, System] = {
    "linux": System("linux", PortRange(32_768, 60_999), unprivileged_from=1024),
    "macos": System("macos", PortRange(49_152, 65_535)),
    "windows": System("windows", PortRange(49_152, 65_535)),
}
"""macOS lets everybody bind low numbers on all addresses, though not on one: H13 tells of it."""

NAMES = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}

SOURCES: dict[Systems, str] = {
    "linux": "https://docs.kernel.org/networking/ip-sysctl.html",
    "macos": "https://github.com/apple-oss-distributions/xnu/blob/main/bsd/netinet/in.h",
    "windows": "https://learn.microsoft.com/en-us/troubleshoot/windows-server/networking/default-dynamic-port-range-tcpip-chang",
}
"""Where each range is written."""


def within(port: int, ranges: tuple[PortRange, ...]) -> PortRange | None:
    """Return the range that has a number, if one does."""
    for found in ranges:
        if found.first <= port <= found.last:
            return found
    return None


def systems_for(here: System | None, others: tuple[Systems, ...]) -> tuple[System, ...]:
    """Return this machine's system, if it counts, and the others with what they start with."""
    first = () if here is None else (here,)
    return (*first, *[STARTS[name] for name in others if here is None or name != here.name])
