"""Which services of IANA's a program serves: those that its product is cited or named to serve.

Cited: the product listens, by a known use that agrees with the assignment. Named: the product has the service's whole
name and is a server (it listens by a known use, or a package runs a program of it as a unit), or the program is called
after a protocol, as daemons are (``ntpd``, ``in.telnetd``). A client named after a protocol (``ssh``, ``scp``) serves
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.registry.agreement import letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Assignment, Executable, KnownUse
    from portulan.registry.agreement import Agreement
    from portulan.registry.compile import Run


def services_of(
    programs: Sequence[Executable], runs: Sequence[Run], agreement: Agreement
) -> dict[Executable, tuple[str, ...]]:
    """Return the IANA service names of each program, those cited first."""
    names = {
        name: row.service_name
        for run in runs
        for entry in run.transports
        for row in entry.assignments
        for name in agreement.read(row)[0]
        if row.service_name
    }
    servers = {program.product for program in programs if program.unit}
    servers.update(use.product for run in runs for use in run.known_uses if use.direction == "listen")
    cited: dict[str, dict[str, None]] = {}
    for use, row in _listening(runs):
        if row.service_name and agreement.agrees(use, row):
            cited.setdefault(use.product, {})[row.service_name] = None
    served: dict[Executable, tuple[str, ...]] = {}
    for program in programs:
        named = [names[name] for name in _named(program, agreement, servers) if name in names]
        services = dict.fromkeys([*cited.get(program.product, ()), *named])
        # IANA's own second home of a service: http-alt for http.
        alternates = [names[letters(f"{name}-alt")] for name in services if letters(f"{name}-alt") in names]
        served[program] = tuple(dict.fromkeys([*services, *alternates]))
    return served


def _listening(runs: Iterable[Run]) -> Iterator[tuple[KnownUse, Assignment]]:
    """Yield every use that listens where it agrees with the registry, with each assignment that it covers.

    A use of some numbers of a range is no service of the whole range: sshd forwards X11 on 6010, and is not x11.
    """
    for run in runs:
        for use in run.known_uses:
            if use.direction == "listen" and use.relation == "registered":
                for entry in run.transports:
                    if entry.transport == use.transport:
                        for row in entry.assignments:
                            ports = row.ports
                            if ports and use.ports.first <= ports.first and ports.last <= use.ports.last:
                                yield use, row


def _named(program: Executable, agreement: Agreement, servers: set[str]) -> list[str]:
    """Return the service names, as bare letters, that the name of the product or the program claims."""
    claimed = [letters(program.product)] if program.product in servers else []
    daemon = letters(program.name.removeprefix("in."))
    if daemon.endswith("d"):
        # httpd serves http, not everything that is made of HTTP.
        protocol = daemon[:-1]
        mapped = agreement.names_of(protocol)
        claimed += [protocol] if protocol in mapped else sorted(mapped)
    return claimed
