"""What the tests of the judge are made from: processes, sockets, answers, and the verdict on them by the real map."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from portulan.judge import Namesakes, judge
from portulan.model import Cost, Endpoint, Identification, Observation, Process, Verdict, replace

if TYPE_CHECKING:
    from portulan.registry.index import Index

NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)


def process(executable: str | None, *words: str, **facts: object) -> Process:
    """Return a process of root's with a believable executable."""
    status = "present" if executable else None
    made = Process(812, "name", executable, words or None, "root", NOW, status)  # type: ignore[arg-type]
    return replace(made, **facts)


def socket(direction: str, port: int, *owners: Process, **facts: object) -> Observation:
    """Return a socket that holds a port, or dials it on this machine."""
    dials = direction == "connect"
    made = Observation(
        observed_at=NOW,
        host="pbx1",
        perspective="live",
        direction=direction,  # type: ignore[arg-type]
        transport="tcp",
        local=Endpoint("127.0.0.1", 43210 if dials else port),
        peer=Endpoint("127.0.0.1", port) if dials else None,
        socket_state="established" if dials else "listen",
        processes=owners,
        processes_missing=None,
        unit=None,
        container=None,
        package=None,
        network_namespace=None,
        inode=7,
    )
    return replace(made, **facts)


def judged(index: Index, observation: Observation, identification: Identification | None = None) -> Verdict:
    """Judge a socket with the map's catalogue."""
    number = (
        observation.peer.port if observation.direction == "connect" and observation.peer else observation.local.port
    )
    catalogue = {
        owner.executable: Namesakes(index.executables(owner.executable))
        for owner in observation.processes
        if owner.executable
    }
    if observation.activates:
        catalogue[observation.activates] = Namesakes(index.executables_of_unit(observation.activates))
    if observation.unit:
        catalogue[observation.unit] = Namesakes(index.executables_of_unit(observation.unit))
    return judge(index.entry(number), catalogue, observation, identification)


def answers(protocol: str, port: int, *service_names: str) -> Identification:
    """Return what a probe found."""
    return Identification(
        port=port,
        transport="tcp",
        protocol=protocol,
        layers=("tcp", protocol),
        tls=None,
        product=None,
        version=None,
        confidence=0.99,
        reasons=(),
        behaviour=None,
        cost=None,
        transcript=None,
        service_names=service_names or (protocol,),
    )


def short(verdict: Verdict) -> tuple[str, str, str | None]:
    """Return what matters of a verdict."""
    return verdict.judgement, verdict.attention, verdict.squats_on


def says_nothing(port: int, behaviour: str = "silent") -> Identification:
    """Return what a probe found where nothing has a name."""
    return replace(
        answers("nothing", port),
        protocol=None,
        layers=("tcp",),
        confidence=0.0,
        reasons=("it takes what it is sent and says nothing",),
        behaviour=behaviour,
        cost=Cost(8, 400, 0, 5_200),
        service_names=(),
    )
