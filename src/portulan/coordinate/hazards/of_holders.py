"""Hazards of holders: sockets of whatever address and family, rules that take a port without one, claims and files."""

from __future__ import annotations

from portulan.coordinate.hazards.nouns import Hazard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.coordinate.hazards.nouns import Ground, Purpose, Severity
    from portulan.coordinate.trial import Refusal
    from portulan.model import Observation, Transport

_ENDED = frozenset({"time-wait", "closed"})
"""States of a connection that keeps no port from a server: with SO_REUSEADDR it binds beside it (RFC 9293, 3.3.2)."""
_CLAIMED_IN_FILES = frozenset({"published"})
"""The roles of a declaration that take a number of the machine."""


def h1_tcp_holder(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of who listens on TCP, at any address of either family: localhost has two port spaces."""
    yield from _holders("H1", "tcp", port, ground, wanted)


def h2_udp_holder(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of who holds the number on UDP: a claim is of the number, and QUIC, DNS and many others want both."""
    yield from _holders("H2", "udp", port, ground, wanted)


def h3_bound(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of who is bound and does not listen: seen, or found by a trial that nobody who is seen explains."""
    bound = [one for one in _sockets(port, ground) if one.direction == "listen" and one.socket_state == "bound"]
    for one in bound:
        reason = f"{_who(one)} is bound to {_where(one)}, though nothing listens there yet"
        yield Hazard("H3", port, _severity(one.transport, wanted), reason, _source(one))
    seen = _sockets(port, ground)
    here = {one.transport for one in seen if one.direction == "listen" or _is_source(one)}
    left = {one.transport: one for one in reversed(list(seen))}
    for refused in _refused(port, ground):
        place = f"{_place(refused.address, port)}/{refused.transport}"
        if refused.transport in (left if refused.step == "bind alone" else here):
            continue  # another code tells who that is, or it is what an ended connection leaves
        severity = _severity(refused.transport, wanted)
        if refused.step == "bind alone":
            severity = "warns"
            reason = f"a trial could bind {place} with SO_REUSEADDR alone: somebody is bound there, or was just now"
        elif refused.step == "listen":
            reason = f"a trial could bind {place}, but not listen there ({refused.error})"
        elif still := left.get(refused.transport):  # of a server that has ended, and had not set SO_REUSEADDR
            whose = f"{_who(still)} has a connection there, in state {still.socket_state}"
            reason = f"a trial could not bind {place} ({refused.error}): {whose}"
        else:
            reason = f"a trial could not bind {place} ({refused.error}), and nobody is seen there"
        yield Hazard("H3", port, severity, reason, "bind(2) and listen(2), tried here")


def h4_shared(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of a place that several sockets hold together: there a bind that succeeds proves nothing (socket(7))."""
    places: dict[tuple[Transport, str, str | None], int] = {}
    for one in _listening(port, ground):
        place = one.transport, one.local.address, one.interface
        places[place] = places.get(place, 0) + 1
    for (transport, address, _), count in places.items():
        if count > 1:
            reason = (
                f"{count} sockets share {_place(address, port)}/{transport}, so a bind that succeeds proves nothing"
            )
            yield Hazard(
                "H4", port, _severity(transport, wanted), reason, "https://man7.org/linux/man-pages/man7/socket.7.html"
            )


def h5_source(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of a connection that has the number as its own: while it lasts nobody can listen there.

    Where a trial got the port all the same, that is only worth knowing.
    """
    refusals = ground.refusals(port)
    got = set() if refusals is None else {"tcp", "udp"} - {refused.transport for refused in refusals}
    told: set[Transport] = set()
    for one in _sockets(port, ground):
        if _is_source(one) and one.transport not in told:
            told.add(one.transport)
            to = "" if one.peer is None else f" to {_place(one.peer.address, one.peer.port)}"
            severity = "notes" if one.transport in got else _severity(one.transport, wanted)
            reason = f"{_who(one)} has {_where(one)} as the source of a connection{to}"
            yield Hazard("H5", port, severity, reason, _source(one))


def h9_without_a_socket(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of a rule that takes what arrives: who listens there hears nothing, and ss says the port is free."""
    for one in ground.redirects:
        redirect = one.redirect
        if redirect is not None and redirect.ports.first <= port <= redirect.ports.last:
            to = "another port of this machine" if redirect.address is None else redirect.address
            if redirect.port is not None:
                to = str(redirect.port) if redirect.address is None else _place(redirect.address, redirect.port)
            reason = f"a rule of {redirect.by} passes {port}/{one.transport} on to {to}, without a socket"
            severity: Severity = "warns" if redirect.from_here else _severity(one.transport, wanted)
            yield Hazard("H9", port, severity, reason, redirect.rule)


def h10_elsewhere(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:  # noqa: ARG001  # all have one form
    """Tell of who has the number in another network namespace: free here, until somebody publishes that."""
    for one in ground.seen(port):
        if one.direction == "listen" and one.perspective != "declared" and one.network_namespace_name is not None:
            reason = f"{_who(one)} has {_where(one)} in the network namespace {one.network_namespace_name}"
            yield Hazard("H10", port, "notes", reason, _source(one))


def h21_claimed(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of a claim of somebody else, and of a file that gives the number out, whether or not it is in use now."""
    for claim in ground.claims:
        if claim.port <= port < claim.port + claim.size and claim.owner != wanted.owner:
            until = f", until {claim.expires_at:%Y-%m-%d %H:%M} UTC" if claim.expires_at else ""
            what = f" ({claim.purpose})" if claim.purpose else ""
            reason = f"{claim.owner} has claimed it for the {claim.scope}{what}{until}"
            yield Hazard("H21", port, "blocks", reason, "portulan claims")
    for one in ground.seen(port):
        declared = one.declaration
        if declared is not None and declared.role in _CLAIMED_IN_FILES:
            place = f"{declared.file}:{declared.line}"
            yield Hazard("H21", port, "warns", f"a file declares {_where(one)}: {place}", place)


def _holders(code: str, transport: Transport, port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    for one in _listening(port, ground):
        if one.transport == transport:
            reason = f"{_who(one)} holds {_where(one)}"
            yield Hazard(code, port, _severity(transport, wanted), reason, _source(one))


def _sockets(port: int, ground: Ground) -> Iterable[Observation]:
    """Return the sockets of this namespace that have the number as their own."""
    return [one for one in ground.seen(port) if one.perspective != "declared" and one.network_namespace_name is None]


def _listening(port: int, ground: Ground) -> Iterable[Observation]:
    return [one for one in _sockets(port, ground) if one.direction == "listen" and one.socket_state != "bound"]


def _is_source(one: Observation) -> bool:
    return one.direction == "connect" and one.socket_state not in _ENDED


def _refused(port: int, ground: Ground) -> Iterable[Refusal]:
    """Return the first refusal of each transport that says that somebody is there."""
    told: dict[Transport, Refusal] = {}
    for refused in ground.refusals(port) or ():
        if refused.error.endswith("EADDRINUSE"):  # WSAEADDRINUSE on Windows
            told.setdefault(refused.transport, refused)
    return told.values()


def _severity(transport: str, wanted: Purpose) -> Severity:
    """Tell what a holder of a transport means for who wants another: it can be had, but not the number whole."""
    return "blocks" if transport == wanted.transport else "warns"


def _who(one: Observation) -> str:
    if one.processes:
        first = one.processes[0]
        return f"{first.name or 'a process'} (pid {first.pid})"
    return f"an unknown process ({one.processes_missing})" if one.processes_missing else "an unknown process"


def _where(one: Observation) -> str:
    return f"{_place(one.local.address, one.local.port)}/{one.transport}"


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _source(one: Observation) -> str:
    return f"{one.perspective} observation of {one.observed_at:%Y-%m-%dT%H:%M:%SZ}"
