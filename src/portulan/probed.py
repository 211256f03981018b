"""What answers, joined with what the map and the machine know: they order the question, and name what comes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from portulan.identify import Known, case_of, identify, why_left_alone
from portulan.identify.protocols import probes
from portulan.model import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Identification, Incomplete, Observation, Transport
    from portulan.observe import Survey
    from portulan.registry.index import Index

OVER_TLS = frozenset(
    {
        *("https", "pcsync-https", "imaps", "pop3s", "submissions", "ldaps", "ftps", "ftps-data", "nntps", "ircs-u"),
        *("telnets", "sips", "domain-s", "amqps", "secure-mqtt", "syslog-tls", "diameters", "stuns", "turns", "rtsps"),
        *("ipps", "msft-gc-ssl", "netconf-tls", "restconf-ch-tls", "radsec", "rpki-rtr-tls", "wbem-https", "winrms"),
        *("amt-soap-https", "docker-s", "wsmans", "corba-iiop-ssl", "jboss-iiop-ssl", "ddm-ssl", "dicom-tls"),
        *("ttc-ssl", "mbap-s", "ndmps", "njenet-ssl", "opcua-tls", "ipfixs", "snmptls", "snmpdtls", "coaps"),
    }
)
"""IANA's service names that promise TLS: where no more than a handshake was seen, it is as it should be."""


_TLS = frozenset({"tls", "dtls", "quic"})
"""TLS, and what it is a part of (RFC 9147, RFC 9001)."""


MOST_PLACES = 8
"""So many addresses of this machine are asked at the same time."""


class Target(Value):
    """Something to ask: an address and a port, and what is known of it. `why_not` says why it is only listened to."""

    address: str
    port: int
    transport: Transport
    known: Known
    why_not: str | None = None


def targets_here(seen: Iterable[Observation], index: Index, *, consent: bool = False) -> list[Target]:
    """Return what there is to ask of the listeners of this machine, each once; those elsewhere cannot be reached."""
    found: dict[tuple[str, int, str], Target] = {}
    for observation in seen:
        if can_be_asked(observation):
            target = target_of(observation, index, consent=consent)
            found.setdefault((target.address, target.port, target.transport), target)
    return list(found.values())


def can_be_asked(observation: Observation) -> bool:
    """Tell whether a socket is a listener that this process can reach."""
    return (
        observation.direction == "listen"
        and observation.transport in {"tcp", "udp"}
        and observation.network_namespace_name is None
        and observation.socket_state not in {"redirected", "bound" if observation.transport == "tcp" else ""}
    )


def target_of(observation: Observation, index: Index, *, consent: bool = False) -> Target:
    """Return how to ask a listener: at its address, or at loopback where it listens on all."""
    address = observation.local.address
    if address in {"0.0.0.0", "::"}:
        address = "::1" if observation.ipv6_only else "127.0.0.1"
    if observation.interface and address.startswith("fe80:"):
        address = f"{address}%{observation.interface}"
    known = known_of(observation.local.port, observation.transport, index, observation)
    return _target(address, observation.local.port, observation.transport, known, consent=consent, near=True)


def targets_at(
    host: str, ports: Iterable[int], transport: Transport, index: Index, *, consent: bool = False, near: bool = False
) -> list[Target]:
    """Return what there is to ask of a host of which no more is known than what the map says of its ports."""
    return [
        _target(host, port, transport, known_of(port, transport, index), consent=consent, near=near) for port in ports
    ]


def _target(address: str, port: int, transport: Transport, known: Known, *, consent: bool, near: bool) -> Target:
    case = case_of(port, transport, known, consent=consent, near=near)
    return Target(address, port, transport, known, why_left_alone(case))


def remembering(targets: Iterable[Target], earlier: Iterable[Observation]) -> list[Target]:
    """Return targets that are asked first for what answered there earlier, at that address or in that place on any."""
    there: dict[tuple[str, int, str], str] = {}
    for seen in earlier:
        if seen.identification is not None and seen.identification.protocol is not None:
            for address in (seen.local.address, ""):
                there.setdefault((address, seen.local.port, seen.transport), seen.identification.protocol)
    found = []
    for target in targets:
        place = target.port, target.transport
        name = there.get((target.address, *place)) or there.get(("", *place))
        known = target.known
        if name is not None:
            known = replace(known, prior=tuple(dict.fromkeys((name, *known.prior))))
        found.append(replace(target, known=known))
    return found


def known_of(port: int, transport: Transport, index: Index, observation: Observation | None = None) -> Known:
    """Return what is known of a port before it is asked: by the programs that hold it, the known uses, the map."""
    entry = index.entry(port)
    uses = [use for use in entry.known_uses if use.transport == transport and use.direction == "listen"]
    names = _protocols(index)
    programs: list[str] = []
    speaks: list[str] = []
    for process in observation.processes if observation is not None else ():
        programs += _programs(process.executable, process.command_line or ())
        rows = index.executables(process.executable) if process.executable else ()
        products = {row.product for row in rows}
        speaks += [use.protocol for use in uses if use.product in products and use.protocol is not None]
        speaks += [names.get(name, name) for row in rows if row.distinct == "own" for name in row.services]
    if observation is not None and observation.unit and not speaks:  # whose program could not be read, perhaps
        rows = index.executables_of_unit(observation.unit)
        speaks += [names.get(name, name) for row in rows if row.distinct == "own" for name in row.services]
    prior = [use.protocol for use in uses if use.protocol is not None and use.relation != "malicious"]
    assigned = [row.service_name for row in entry.on(transport).assignments if row.service_name]
    prior = [names.get(name, name) for name in assigned] + prior
    return Known(tuple(dict.fromkeys(programs)), tuple(dict.fromkeys(speaks)), tuple(dict.fromkeys(prior)))


def _programs(executable: str | None, command_line: Sequence[str]) -> Iterator[str]:
    """Yield the names that a process goes by: its executable, and the first words that an interpreter is given."""
    for word in (executable or "", *command_line[1:4]):
        name = word.rpartition("/")[2]
        if name and not name.startswith("-"):
            yield name.removesuffix(".py")


@cache
def _protocols(index: Index) -> dict[str, str]:
    """Return what we call the protocol of each of IANA's service names that we can ask for."""
    known = dict.fromkeys([name for probe in probes().values() for name in probe.speaks])
    return {service: name for name in known for service in index.protocol_services(name)}


def probe(
    targets: Sequence[Target],
    index: Index,
    *,
    blind: bool = False,
    consent: bool = False,
    near: bool = True,
    transcript: bool = False,
) -> Iterator[tuple[Target, Identification]]:
    """Ask, and yield what answers, each as soon as it does."""
    groups: dict[tuple[str, Transport], list[Target]] = {}
    for target in targets:
        groups.setdefault((target.address, target.transport), []).append(target)
    for (address, transport), members in groups.items():
        by_port = {target.port: target for target in members}
        found = identify(
            address,
            by_port,
            transport=transport,
            known={port: target.known for port, target in by_port.items()},
            blind=blind,
            consent=consent,
            near=near,
            transcript=transcript,
        )
        for identification in found:
            yield by_port[identification.port], with_names(identification, index)


def with_names(found: Identification, index: Index) -> Identification:
    """Add IANA's names for what answers, by which the judge compares it with what the map says.

    Where there is a name for the protocol inside TLS and another for it in the clear, the one for what was seen:
    `imap` is not at home on 993, nor is `imap` inside TLS on 143 (RFC 8314, section 3).
    """
    if found.protocol is None:
        return found
    names = dict.fromkeys([*found.service_names, *index.protocol_services(found.protocol)])
    secure = not _TLS.isdisjoint(found.layers)
    if found.protocol in _TLS:
        assigned = index.entry(found.port).on(found.transport).assignments
        names |= dict.fromkeys([row.service_name for row in assigned if row.service_name in OVER_TLS])
    told = [name for name in names if (name in OVER_TLS) is secure]
    return replace(found, service_names=tuple(told or names))


def probe_listeners(seen: Sequence[Observation], index: Index) -> list[Observation]:
    """Ask the listeners among some sockets, all at the same time, and return all of them, with what answers."""
    targets = {number: target_of(item, index) for number, item in enumerate(seen) if can_be_asked(item)}
    places: dict[tuple[str, Transport], dict[Target, None]] = {}
    for target in targets.values():
        places.setdefault((target.address, target.transport), {})[target] = None
    answers: dict[Target, Identification] = {}
    with ThreadPoolExecutor(MOST_PLACES) as pool:  # to ask takes waiting, and each place has an event loop of its own
        for answered in pool.map(lambda members: list(probe(list(members), index)), places.values()):
            answers.update(answered)
    return [
        replace(item, identification=answers[targets[number]]) if number in targets else item
        for number, item in enumerate(seen)
    ]


class Probed:
    """A survey whose listeners are asked what they speak, all at once, when it is iterated over."""

    def __init__(self, survey: Survey, index: Index) -> None:
        """Take the survey, and the map that tells what to ask first."""
        self._survey = survey
        self._index = index

    def __iter__(self) -> Iterator[Observation]:
        """Look, ask, and yield the sockets with what answered."""
        yield from probe_listeners(list(self._survey), self._index)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused."""
        return self._survey.incomplete
