"""Which services of IANA's a program serves: those that its product is cited or named to serve, in all their forms.

Cited: the product listens, by a known use that agrees with the assignment. Named: the product has the service's whole
name and is a server (it listens by a known use, or a package runs a program of it as a unit), or the program is called
after a protocol, as daemons are (``ntpd``, ``in.telnetd``). A client named after a protocol (``ssh``, ``scp``) serves
nothing.

Forms: who serves a protocol on one number serves it on the others that IANA gave it, inside TLS included
(``data/forms.csv``): a web server on http is at home on https. That holds for a protocol that the product is cited for
on a number of that protocol, and for the only one that a product is cited for at all, wherever that is. A product that
speaks several is not known to speak this one there.

Apart from what a product serves stands what it `speaks`: every service of every protocol that it is cited for, and what
lies near them (DNS also answers inside HTTP). Only what is foreign to all of that is known to be something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.registry.agreement import letters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from portulan.model import Assignment, Executable, KnownUse
    from portulan.registry.agreement import Agreement
    from portulan.registry.compile import Run

    Forms = Mapping[str, tuple[str, ...]]


def services_of(
    programs: Sequence[Executable], runs: Sequence[Run], agreement: Agreement, forms: Forms, near: Forms
) -> dict[Executable, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the IANA service names that each program serves, those cited first, and all that it speaks."""
    names = {
        name: row.service_name
        for run in runs
        for entry in run.transports
        for row in entry.assignments
        for name in agreement.read(row)[0]
        if row.service_name
    }
    protocols = _protocols(runs)
    servers = {program.product for program in programs if program.unit}.union(protocols)
    cited: dict[str, dict[str, None]] = {}
    for use, row in _listening(runs):
        if row.service_name and agreement.agrees(use, row):
            services = cited.setdefault(use.product, {})
            services[row.service_name] = None
            same = forms.get((use.protocol or "").lower(), ())
            if row.service_name in same:
                services.update(dict.fromkeys(same))
    for product, spoken in protocols.items():
        cited.setdefault(product, {}).update(dict.fromkeys(_only_protocol(spoken, forms)))
    served: dict[Executable, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for program in programs:
        named = [names[name] for name in _named(program, agreement, servers) if name in names]
        services = dict.fromkeys([*cited.get(program.product, ()), *named])
        # IANA's own second home of a service: http-alt for http.
        alternates = [names[letters(f"{name}-alt")] for name in services if letters(f"{name}-alt") in names]
        serves = tuple(dict.fromkeys([*services, *alternates]))
        speaks = dict.fromkeys(serves)
        for protocol in sorted(protocols.get(program.product, ())):
            also = agreement.names_of(protocol).union([letters(protocol)])
            speaks.update(dict.fromkeys(sorted(names[name] for name in also if name in names)))
            speaks.update(dict.fromkeys([*forms.get(protocol, ()), *near.get(protocol, ())]))
        served[program] = serves, tuple(speaks)
    return served


def _protocols(runs: Iterable[Run]) -> dict[str, set[str]]:
    """Return the protocols that each product is cited to serve anywhere; a product without a known one has none."""
    protocols: dict[str, set[str]] = {}
    for run in runs:
        for use in run.known_uses:
            if use.direction == "listen":
                spoken = protocols.setdefault(use.product, set())
                if use.protocol and use.relation != "malicious":
                    spoken.add(use.protocol.lower())
    return protocols


def _only_protocol(spoken: Iterable[str], forms: Forms) -> list[str]:
    """Return the services of the one protocol that a product speaks; several count as one where they share a service.

    HTTP and HTTPS do, SMTP and HTTP do not.
    """
    known = [forms.get(protocol, ()) for protocol in sorted(spoken)]
    if not known or not frozenset(known[0]).intersection(*known):
        return []
    return [name for same in known for name in same]


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
