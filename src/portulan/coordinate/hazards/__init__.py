"""What speaks against taking a port: each hazard a code, a reason, a source and a severity.

Codes are stable: H1 to H24. A finding about one port is a `Hazard`; `docs/hazards/` has a page for each code. Each
hazard is a function of the port, the `Ground` that it is read from, and the `Purpose` that the port is wanted for.
"""

from __future__ import annotations

from portulan.coordinate.hazards import of_data, of_holders, of_map, of_system
from portulan.coordinate.hazards.nouns import PORTABLE, SEVERITIES, Ground, Hazard, Purpose
from portulan.model import PORTS, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.coordinate.hazards.nouns import Severity

    Rule = Callable[[int, Ground, Purpose], Iterable[Hazard]]

__all__ = [
    "ANYTHING",
    "HAZARDS",
    "NAMES",
    "PORTABLE",
    "SEVERITIES",
    "Ground",
    "Hazard",
    "Purpose",
    "hazards_of",
    "severity_of",
]


def h22_no_room(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of what speaks against the numbers behind this one, where several in a row are wanted."""
    if port + wanted.size > PORTS:
        reason = f"{wanted.size} numbers do not fit between it and {PORTS - 1}"
        yield Hazard("H22", port, "blocks", reason, "https://www.rfc-editor.org/rfc/rfc6335#section-6")
        return
    for neighbour in range(port + 1, port + wanted.size):
        for hazard in hazards_of(neighbour, ground, replace(wanted, size=1)):
            if hazard.severity in {"blocks", "warns"}:
                reason = f"of the {wanted.size} numbers from it on, {neighbour}: {hazard.reason} ({hazard.code})"
                yield Hazard("H22", port, hazard.severity, reason, hazard.source)


HAZARDS: dict[str, tuple[str, Rule]] = {
    "H1": ("tcp-holder", of_holders.h1_tcp_holder),
    "H2": ("udp-holder", of_holders.h2_udp_holder),
    "H3": ("bound-not-listening", of_holders.h3_bound),
    "H4": ("shared-by-several-sockets", of_holders.h4_shared),
    "H5": ("source-of-a-connection", of_holders.h5_source),
    "H6": ("ephemeral-range", of_system.h6_ephemeral),
    "H7": ("kept-from-those-who-dial", of_system.h7_reserved),
    "H8": ("dynamic-port-as-a-service", of_system.h8_dynamic),
    "H9": ("taken-without-a-socket", of_holders.h9_without_a_socket),
    "H10": ("held-in-another-namespace", of_holders.h10_elsewhere),
    "H11": ("pool-of-an-orchestrator", of_data.h11_pool),
    "H12": ("excluded-by-windows", of_system.h12_excluded),
    "H13": ("held-by-macos", of_system.h13_macos),
    "H14": ("privileged", of_system.h14_privileged),
    "H15": ("blocked-by-browsers", of_data.h15_browser),
    "H16": ("assigned-by-iana", of_map.h16_assigned),
    "H17": ("unauthorized-use-reported", of_map.h17_unauthorized),
    "H18": ("known-use", of_map.h18_known),
    "H19": ("block-of-a-project", of_data.h19_block),
    "H20": ("often-seen-open", of_data.h20_seen_open),
    "H21": ("claimed-by-another", of_holders.h21_claimed),
    "H22": ("no-room-for-the-block", h22_no_room),
    "H23": ("out-of-reach", of_data.h23_out_of_reach),
    "H24": ("bad-company", of_map.h24_bad_company),
}
"""By code: the name, and the function that finds it."""

NAMES: dict[str, str] = {code: name for code, (name, _) in HAZARDS.items()}
ANYTHING = Purpose()
"""Wanted for nothing that would excuse a hazard."""
_ORDER = {code: number for number, code in enumerate(HAZARDS)}


def hazards_of(port: int, ground: Ground, wanted: Purpose = ANYTHING) -> tuple[Hazard, ...]:
    """Return everything that speaks against a port, and for it, the worst first, then by code."""
    found = [hazard for _, rule in HAZARDS.values() for hazard in rule(port, ground, wanted)]
    found.sort(key=lambda hazard: (SEVERITIES.index(hazard.severity), _ORDER[hazard.code]))
    return tuple(found)


def severity_of(hazards: Iterable[Hazard]) -> Severity | None:
    """Return the worst severity among some hazards; None where nothing speaks against the port, or for it."""
    return min([hazard.severity for hazard in hazards], key=SEVERITIES.index, default=None)
