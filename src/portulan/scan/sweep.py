"""One host: what is known of its ports so far, and what to try next. It has no sockets and no clock.

Ports are asked in batches. What answers is known. Silence is believed only if the canary, a port that has answered
before and is asked again with each batch, still answers: if it does not, answers are being lost, the batch's silent
ports are asked again, and fewer at a time. Ports that stayed silent are asked once more at the end, with longer to
wait, and as long as such a pass brings answers, a few times more.
"""

from __future__ import annotations

from portulan.model import Value
from portulan.scan.pacing import PASSES_S, Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.scan.outcomes import Outcome

BATCH = 4
"""A batch is so many times as many as are asked at a time."""
TO_MEET = 16
"""So many ports tell whether there is anybody."""
MOST_LOST = 6
"""So often in a row may the canary be silent, or this machine without room, at the slowest pace."""


class Left(Value):
    """What a scan that was interrupted still has to do on a host, and what it has found there."""

    ports: tuple[int, ...]
    silent: tuple[int, ...]
    number: int
    open: tuple[int, ...]
    counts: tuple[tuple[str, int], ...]
    canary: int | None


class Sweep:
    """The ports of one host. `alone`: it was named by itself, so that silence is no reason to pass it over."""

    def __init__(self, ports: Sequence[int], pace: Pace, *, alone: bool = True) -> None:
        self.pace = pace
        self.open: list[int] = []
        self.counts: dict[str, int] = dict.fromkeys(("closed", "filtered", "unreachable", "silent"), 0)
        self.number = 0  # of the pass
        self.over = False
        self.why: str | None = None  # it ended before its time
        self.canary: int | None = None
        self._ports, self._place = ports, 0
        self._alone = alone
        self._again: list[int] = []
        self._silent: list[int] = []
        self._asked: dict[int, None] = {}  # of this batch, and not known yet
        self._quiet: list[int] = []  # of this batch
        self._guard: int | None = None  # the canary of this batch
        self._guard_lost = False
        self._answered = self._crowded = self._tried = False
        self._lost = 0

    @classmethod
    def of(cls, left: Left, pace: Pace, *, alone: bool = True) -> Sweep:
        """Go on with what was interrupted."""
        sweep = cls(left.ports, pace, alone=alone)
        sweep.open, sweep.number, sweep.canary = list(left.open), left.number, left.canary
        sweep.counts |= dict(left.counts)
        sweep._silent = list(left.silent)
        sweep._answered = True  # who knows
        sweep._end_pass()
        return sweep

    @property
    def left(self) -> Left:
        """What is not known yet: of a batch that has not ended, the silent ports too."""
        ports = (*[port for port in self._asked if port != self._guard], *self._quiet, *self._again)
        rest = tuple(self._ports[self._place :])
        counts = tuple(self.counts.items())
        return Left((*ports, *rest), tuple(self._silent), self.number, tuple(self.open), counts, self.canary)

    @property
    def met(self) -> bool:
        """Whether the host, or something in front of it, has said anything."""
        return bool(self.open or self.counts["closed"] or self.counts["filtered"])

    @property
    def done(self) -> int:
        """How many ports are known, or were silent once."""
        return len(self.open) + sum(self.counts.values()) + len(self._silent)

    @property
    def wait_s(self) -> float:
        """How long to wait for an answer."""
        return self.pace.wait_s(1 if self._tried and not self.met else self.number)

    def draw(self) -> list[int]:
        """Begin a batch and return its ports; none while one is under way, or when all is known."""
        if self.over or self._asked:
            return []
        most = self.pace.window * BATCH if self.met or (self._alone and self._place) else TO_MEET
        batch, self._again = self._again[:most], self._again[most:]
        if len(batch) < most:
            more = self._ports[self._place : self._place + most - len(batch)]
            self._place += len(more)
            batch += more
        self._guard, self._guard_lost = self.canary, False
        if self._guard is not None:
            batch.append(self._guard)
        self._asked = dict.fromkeys(batch)
        return batch

    def note_closed(self, ports: Sequence[int]) -> None:
        """Take many ports that refused, as `note` does one."""
        if ports and ports[-1] == self._guard:
            self.note_closed(ports[:-1])
            self.note(ports[-1], "closed")
        elif ports:
            if len(ports) == len(self._asked):
                self._asked.clear()
            else:
                for port in ports:
                    del self._asked[port]
            self.counts["closed"] += len(ports)
            self._answered, self.canary = True, ports[-1]
            if not self._asked:
                self._end_batch()

    def note(self, port: int, outcome: Outcome) -> None:
        """Take what came of a port."""
        del self._asked[port]
        match outcome:
            case "crowded" if port == self._guard:
                self._crowded = True
            case _ if port == self._guard:
                self._guard_lost = outcome not in {"open", "closed", "again"}
            case "open":
                self.open.append(port)
            case "closed" | "filtered" | "unreachable":
                self.counts[outcome] += 1
            case "silent":
                self._quiet.append(port)
            case "forbidden":
                self._give_up("this machine does not let it go out", port)
                return
            case "again" | "crowded":
                self._again.append(port)
                self._crowded |= outcome == "crowded"
        if outcome in {"open", "closed"} and port != self._guard:
            self._answered, self.canary = True, port
        if not self._asked:
            self._end_batch()

    def _end_batch(self) -> None:
        """Judge a batch of which all is known: believe its silence, or repeat it."""
        if self._crowded or (self._quiet and self._guard_lost):
            self._again, self._quiet = [*self._again, *self._quiet], []
            why = f"port {self._guard}, which had answered, answered no more"
            self._slow_down("this machine has no room for more connections" if self._crowded else why)
        else:
            self.pace.went_well()
            self._lost = 0
            if not self.met:
                self._nobody_yet()
            self._silent += self._quiet
        self._crowded, self._quiet, self._guard = False, [], None
        self._end_pass()

    def _slow_down(self, why: str) -> None:
        self._lost = self._lost + 1 if self.pace.slowest else 0
        self.pace.lost()
        if self._lost >= MOST_LOST:
            self._give_up(why)

    def _nobody_yet(self) -> None:
        """Pass over a host of a network that nobody answers for, and any that cannot be reached."""
        if self.counts["unreachable"] and not self._quiet:
            self._give_up("it cannot be reached")
        elif not self._alone and self._tried:
            self._give_up("nobody answers")
        elif not self._alone:
            self._again, self._quiet, self._tried = self._quiet, [], True  # once more, with longer to wait

    def _end_pass(self) -> None:
        """Begin the next pass, over what stayed silent, or end."""
        if self.over or self._again or self._place < len(self._ports):
            return
        if self._silent and self.met and self.number < len(PASSES_S) and (self.number == 0 or self._answered):
            self.number += 1
            self._answered = False
            self._ports, self._place, self._silent = tuple(self._silent), 0, []
            return
        self.counts["silent"] += len(self._silent)
        self._silent = []
        self.over = True

    def _give_up(self, why: str, *ports: int) -> None:
        self.over, self.why = True, why
        self._again += [*[port for port in self._asked if port != self._guard], *ports, *self._quiet]
        self._asked, self._quiet = {}, []
