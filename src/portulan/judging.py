"""The judge with the map at hand: many sockets judged, each kind of them once, and command lines hidden."""

from __future__ import annotations

from portulan.judge.program import Namesakes
from portulan.judge.weigh import Ruling, assess, decisive, likeness, likeness_of_rule, number_of, pronounce, rule_on
from portulan.model import Observation, TransportEntry, Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from portulan.judge.weigh import Weighed
    from portulan.model import Entry, Executable, Process, Standing, Verdict
    from portulan.registry.index import Index

KEPT = 8_192
"""How much is kept of what was weighed: a machine has fewer kinds of sockets, and a file of a fleet any number."""

_PROCESSES = Observation._fields.index("processes")
_IN_FLIGHT = Observation._fields.index("in_flight")


class Veil:
    """Hides command lines, which hold secrets: the judge may weigh them, nobody is shown them unasked.

    It works on every socket of the machine, so it knows where an observation has its processes.
    """

    def __init__(self, *, with_command_lines: bool) -> None:
        self._off = with_command_lines
        # By the identity of the processes that sockets share; that they are kept keeps the number theirs.
        self._hidden: dict[int, tuple[tuple[Process, ...], tuple[Process, ...]]] = {}

    def over(self, observation: Observation) -> Observation:
        """Return an observation as it may be shown."""
        processes, in_flight = observation.processes, observation.in_flight
        if self._off or not (processes or in_flight):
            return observation
        fields = [*observation]
        fields[_PROCESSES] = self._hide(processes)
        if in_flight:
            fields[_IN_FLIGHT] = self._hide(in_flight)
        return Observation.of(fields)

    def _hide(self, processes: tuple[Process, ...]) -> tuple[Process, ...]:
        seen, hidden = self._hidden.get(id(processes), (None, processes))
        if seen is not processes:
            hidden = tuple([replace(process, command_line=None) for process in processes])
            if len(self._hidden) >= KEPT:
                self._hidden.clear()
            self._hidden[id(processes)] = processes, hidden
        return hidden


class Glance(Value):
    """What a table tells of a socket: who, what the map says of the number, and the short of the verdict.

    The observation is as it was seen, with command lines: no table shows those.
    """

    subject: Observation
    on: TransportEntry
    ruling: Ruling
    claims: tuple[Standing, ...] = ()


class Judging:
    """The judge with the map at hand; what it looked up or weighed once it keeps."""

    def __init__(
        self, index: Index, veil: Veil, claims: Callable[[Observation], tuple[Standing, ...]] | None = None
    ) -> None:
        """Take the map, what hides command lines from those who are shown a verdict, and who knows of claims."""
        self._index = index
        self._claims = claims
        self._veil = veil
        self._entries: dict[int, Entry] = {}
        self._catalogue: dict[str, Namesakes] = {}
        # A machine has thousands of sockets and few kinds of them. With each are the processes that it was weighed for,
        # since it is known by their identity; the index keeps what the map says.
        self._weighed: dict[tuple[object, ...], tuple[Weighed, tuple[Process, ...]]] = {}
        self._ruled: dict[tuple[object, ...], tuple[Ruling, tuple[Process, ...]]] = {}

    def entry_of(self, observation: Observation) -> Entry:
        """Return what the map says of the number that a socket is judged by."""
        number = number_of(observation)
        entry = self._entries.get(number)
        if entry is None:
            entry = self._entries[number] = self._index.entry(number)
        return entry

    def __call__(self, observation: Observation, company: frozenset[str] = frozenset()) -> Verdict:
        """Judge one socket; `company` as for `judge`."""
        entry = self.entry_of(observation)
        alike = likeness(entry, observation, company)
        weighed, _ = self._weighed.get(alike) or (None, ())
        if weighed is None:
            if len(self._weighed) >= KEPT:
                self._forget()
            weighed = assess(entry, self._look_up(observation), observation, observation.identification, company)
            self._weighed[alike] = weighed, observation.processes
        verdict = pronounce(weighed, entry, self._veil.over(observation))
        claims = () if self._claims is None else self._claims(observation)
        if not claims:
            return verdict
        from portulan.judge.claiming import judge_by_claims  # noqa: PLC0415  # few ports are claimed

        return judge_by_claims(verdict, claims)

    def glance(self, observation: Observation) -> Glance:
        """Judge one socket in short."""
        if self.is_claimed(observation):
            return self.glance_at(self(observation))
        entry = self.entry_of(observation)
        alike = likeness_of_rule(entry, observation)
        ruling, _ = self._ruled.get(alike) or (None, ())
        if ruling is None:
            if len(self._ruled) >= KEPT:
                self._forget()
            ruling = rule_on(entry, self._look_up(observation), observation, observation.identification)
            self._ruled[alike] = ruling, observation.processes
        return Glance.of((observation, entry.on(observation.transport), ruling, ()))

    def is_claimed(self, observation: Observation) -> bool:
        """Tell whether somebody has claimed the port of a socket."""
        return self._claims is not None and bool(self._claims(observation))

    def glance_at(self, verdict: Verdict) -> Glance:
        """Return the short of a verdict, whoever made it."""
        subject = verdict.subject
        ruling = Ruling(verdict.rule, verdict.judgement, verdict.attention, decisive(verdict.because))
        return Glance(subject, self.entry_of(subject).on(subject.transport), ruling, verdict.claims)

    def _forget(self) -> None:
        """Begin anew: what was weighed is known by the identity of processes, so both go together."""
        self._catalogue.clear()
        self._weighed.clear()
        self._ruled.clear()

    def _look_up(self, observation: Observation) -> dict[str, Namesakes]:
        """Return the catalogue with all that it has on the programs and the unit behind a socket."""
        known = self._catalogue
        for process in observation.processes:
            if process.executable is not None and process.executable not in known:
                known[process.executable] = Namesakes(self._index.executables(process.executable))
        if not observation.processes and observation.unit is not None and observation.unit not in known:
            known[observation.unit] = Namesakes(self._index.executables_of_unit(observation.unit))
        if observation.activates is not None and observation.activates not in known:
            known[observation.activates] = Namesakes(self._activated(observation.activates))
        return known

    def _activated(self, service: str) -> tuple[Executable, ...]:
        """Return the programs of a service that a socket starts.

        The template that is started for each connection (Accept=yes) is another file of the service that is started
        once: packages ship both, and name.service is the one that the catalogue has.
        """
        return self._index.executables_of_unit(service) or self._index.executables_of_unit(
            service.replace("@.service", ".service")
        )

    def catalogue_of(self, observation: Observation) -> Mapping[str, Namesakes]:
        """Return the catalogue with all that it has on the programs and the unit behind a socket."""
        return self._look_up(observation)
