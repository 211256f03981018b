"""Which services of a repository meet on one number: those that are started together, at addresses that overlap.

What is meant to be started together is told by the format alone: the services of one compose project, the processes of
a Procfile, the units of a folder, the NodePorts of a file. Two projects may well have the same number, and so may the
alternatives of one: services of different profiles, and files that stand in for one another.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.coordinate.cited import read_table
from portulan.coordinate.hazards.of_data import NODE_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.coordinate.lint import Declared
    from portulan.model import Endpoint, Observation

_WILDCARDS = frozenset({"0.0.0.0", "::"})


def meetings(published: Iterable[Declared]) -> Iterator[tuple[Declared, Declared]]:
    """Yield each declaration that takes what another service has, with the first that has it."""
    there: dict[tuple[str, str, int], list[Declared]] = {}
    for one in sorted(published, key=_is_override):
        project = _project(one)
        if project is None:
            continue
        seen = one.observation
        others = there.setdefault((project, seen.transport, seen.local.port), [])
        for other in others:
            if _meet(one, other):
                yield one, other
                break
        others.append(one)


def _is_override(one: Declared) -> bool:
    """Tell what comes second: an override adds to what the file before it has."""
    return one.observation.declaration is not None and ".override." in one.observation.declaration.file


def _meet(one: Declared, other: Declared) -> bool:
    ours, theirs = _profiles(one.observation), _profiles(other.observation)
    return (
        _service(one.observation) != _service(other.observation)
        and not (ours and theirs and ours.isdisjoint(theirs))
        and _overlap(one.observation.local, other.observation.local)
    )


def _project(one: Declared) -> str | None:
    """Return what stands for all that is started together with a declaration; None where nobody can tell."""
    place = one.observation.declaration
    if place is None or _service(one.observation) is None:
        return None
    path = PurePath(place.file)
    if one.format == "compose":
        # docker compose reads compose.yaml and its override together, unless files are named.
        return str(path.with_name(path.name.replace(".override.", ".").replace(".yml", ".yaml")))
    if one.format.startswith("systemd-"):
        return f"{path.parent}/*.service"
    if one.format == "kubernetes":
        # A load balancer has addresses of its own.
        pool = [row.ports for row in read_table("pools") if row.name == NODE_PORT]
        is_node_port = any(ports.first <= one.observation.local.port <= ports.last for ports in pool)
        return place.file if is_node_port else None
    return place.file if one.format == "procfile" else None


def _service(seen: Observation) -> str | None:
    """Return what the service is called: a socket unit and its service are one."""
    if seen.unit is not None:
        return PurePath(seen.unit).stem
    return None if seen.declaration is None else seen.declaration.service


def _profiles(seen: Observation) -> frozenset[str]:
    return frozenset() if seen.declaration is None else frozenset(seen.declaration.profiles)


def _overlap(one: Endpoint, other: Endpoint) -> bool:
    """Tell whether two places share an address: any does with all, a family's wildcard with its family."""
    addresses = {one.address, other.address}
    if len(addresses) == 1 or "*" in addresses:
        return True
    return bool(addresses & _WILDCARDS) and len({":" in address for address in addresses}) == 1
