"""Join a watch with the map: what changes on this machine, judged."""

from __future__ import annotations

import sys

from portulan.answer import open_map, resolve, short
from portulan.errors import NotSupported, RegistryError, UsageError
from portulan.judging import Judging, Veil
from portulan.model import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from portulan.model import Event, Incomplete, Transport
    from portulan.observe.watch import Watch

_RENEWAL = 4_096
"""After so many verdicts a judge forgets what was looked up."""


class Watched:
    """The changes on this machine, judged: iterate for the events of each look, a tuple that is often empty.

    The first has what is there, if `present` is wanted. Use it in a with statement.
    """

    def __init__(self, seen: Watch, *, present: bool) -> None:
        """Join a watch with the map."""
        self._seen = seen
        self._present = present
        self._judged = 0
        self._renew()

    def __enter__(self) -> Self:
        """Watch until the block ends."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close what is open."""
        self._seen.close()

    def __iter__(self) -> Iterator[tuple[Event, ...]]:
        """Watch."""
        for events in self._seen:
            if self._present or not events or events[0].event != "present":
                yield tuple(map(self._judge_event, events))
            else:
                yield ()

    def __len__(self) -> int:
        """Return how many sockets are watched now."""
        return len(self._seen)

    def stop(self) -> None:
        """End the iteration, with one more look for what has happened since the last."""
        self._seen.stop()

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused so far."""
        return self._seen.incomplete

    def _renew(self) -> None:
        """Take a judge and a map that nothing was looked up in yet: never relieved, they remember all that ever was."""
        from portulan.registry.index import open_index  # noqa: PLC0415  # rooms are imported when needed

        self._veil = Veil(with_command_lines=False)
        self._judge = Judging(open_index(), self._veil)

    def _judge_event(self, event: Event) -> Event:
        self._judged += 1
        if self._judged % _RENEWAL == 0:
            try:
                self._renew()
            except RegistryError:  # it is being updated: the judge in office stays
                self._judged -= 1
        observation = self._veil.over(event.observation)
        verdict = None if event.event == "vanished" else self._judge(event.observation)
        previous = event.previous and tuple([replace(process, command_line=None) for process in event.previous])
        return replace(event, observation=observation, verdict=verdict, previous=previous)


def check_system() -> None:
    """Raise NotSupported where nothing can be watched: it is the kernel of Linux that tells of what changes."""
    if sys.platform != "linux":
        message = "only Linux can be watched"
        raise NotSupported(message, hint="look again and again instead: portulan list --format jsonl")


def watch(
    queries: Iterable[str] = (),
    *,
    accepted: bool = False,
    present: bool = False,
    every_s: float = 1.0,
    for_s: float | None = None,
    wake: Sequence[tuple[int, int]] = (),
) -> Watched:
    """Watch what appears, vanishes and changes its holder, on all ports or on those of some numbers and names.

    `accepted` adds the connections of listeners, `present` what is there when it begins. It looks every `every_s`
    seconds, for `for_s` seconds or until the iteration is left. Errors as in `ask`.
    """
    check_system()
    from portulan.observe import survey  # noqa: PLC0415  # rooms are imported when a question needs them

    survey()  # says so where nothing can be seen at all
    from portulan.observe.changes import Wanted  # noqa: PLC0415  # as above
    from portulan.observe.watch import Watch  # noqa: PLC0415  # as above

    open_map()  # says so where there is no map
    ports: set[tuple[int, Transport | None]] = set()
    for query in queries:
        port, transport, services = resolve(query)
        if port is not None:
            ports.add((port, transport))
        ranges = [(row.ports, row.transport) for row in services if row.ports is not None]
        for span, on in ranges:
            ports.update([(number, on) for number in range(span.first, span.last + 1)])
        if port is None and not ranges:
            message = f"{short(query)} has no port"
            raise UsageError(message, hint="name a port, or a service that has one")
    wanted = Wanted(frozenset(ports) if ports else None, accepted)
    return Watched(Watch(wanted, every_s=every_s, for_s=for_s, wake=wake), present=present)
