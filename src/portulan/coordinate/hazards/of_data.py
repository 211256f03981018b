"""Hazards of custom: what browsers, orchestrators, projects, providers and those who scan make of a number."""

from __future__ import annotations

from portulan.coordinate.cited import cited
from portulan.coordinate.hazards.nouns import Hazard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.coordinate.hazards.nouns import Ground, Purpose, Severity

IN_BROWSERS = frozenset({"http", "https", "http2", "h2", "websocket", "http-proxy"})
"""Protocols that a browser speaks itself, by Portulan's names: the Fetch Standard blocks ports for these alone."""
NODE_PORT = "Kubernetes NodePort"
_STATIC_BAND = 30_086
"""The first NodePort that Kubernetes gives to who asks for none (its formula for the range that it starts with)."""


def h11_pool(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:  # noqa: ARG001  # all have one form
    """Tell of the numbers that an orchestrator gives out; who runs under it and was given one is at home there."""
    for row in cited("pools", port, wanted.transport):
        at_home = row.name in wanted.within
        if at_home and (row.name != NODE_PORT or port < _STATIC_BAND):
            continue
        pool = f"{row.ports.first}-{row.ports.last}"
        severity: Severity = "notes" if at_home else "warns"
        yield Hazard(
            "H11", port, severity, f"{row.name} has {pool}, which it {row.says} ({row.attestation})", row.citation.url
        )


def h15_browser(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:  # noqa: ARG001  # as said above
    """Tell of a number that browsers do not connect to (Fetch Standard, port blocking)."""
    if wanted.protocol is not None and wanted.protocol not in IN_BROWSERS:
        return
    severity: Severity = "warns" if wanted.protocol is None else "blocks"
    for row in cited("browser-blocked", port, "tcp"):
        because = f", as that of {row.name}" if row.name else ""
        reason = f"browsers refuse to connect to it{because} (Fetch Standard, {row.as_of})"
        yield Hazard("H15", port, severity, reason, row.citation.url)


def h19_block(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:  # noqa: ARG001  # as said above
    """Tell of a block that a project gives out among its own."""
    for row in cited("project-blocks", port, wanted.transport):
        if row.name not in wanted.within:
            reason = f"{row.name} have {row.ports.first}-{row.ports.last} ({row.attestation}): {row.says}"
            yield Hazard("H19", port, "warns", reason, row.citation.url)


def h20_seen_open(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell how often a number was found open in the world, where a source for that is at hand (nmap's own file)."""
    share = ground.seen_open.get((wanted.transport, port), 0.0)
    if share > 0:
        reason = f"{share:.4%} of the addresses that nmap's authors scanned had {port}/{wanted.transport} open"
        yield Hazard("H20", port, "notes", reason, "nmap-services")


def h23_out_of_reach(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell who cannot reach the number, or may not hold it: providers that drop, proxies that pass on few, SELinux."""
    dropping = cited("provider-blocked", port, wanted.transport)
    here = [row for row in dropping if row.name in wanted.within]
    for row in here:
        yield Hazard("H23", port, "warns", f"{row.name} {row.says} ({row.attestation})", row.citation.url)
    if dropping and not here:
        names = ", ".join([row.name for row in dropping])
        reason = f"{names}: each {dropping[0].says} ({dropping[0].attestation})"
        yield Hazard("H23", port, "notes", reason, dropping[0].citation.url)
    if "Cloudflare" in wanted.within and not cited("proxied", port, wanted.transport):
        source = "https://developers.cloudflare.com/fundamentals/reference/network-ports/"
        yield Hazard("H23", port, "blocks", "Cloudflare passes on only 13 numbers, and this is none of them", source)
    if ground.system is not None and ground.system.confined:
        reason = "SELinux is enforcing here: a confined service may bind only the numbers of its port type"
        yield Hazard("H23", port, "notes", reason, "/sys/fs/selinux/enforce; semanage-port(8) lists the types")
