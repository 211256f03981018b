"""How fast to ask: how many at a time, how long to wait, and how many a second."""

from __future__ import annotations

FEWEST = 8
"""So many at a time is as slow as it gets."""
FIRST = 128
"""So many at a time to begin with, where the way is not known yet."""
SHORTEST_S, LONGEST_S = 0.1, 3.0
"""An answer is waited for at least and at most so long on the first pass."""
UNKNOWN_S = 1.0
"""... and so long before any has come (RFC 6298, section 2.1)."""
PASSES_S = (1.25, 3.3, 3.3)
"""How long on the passes after it: a SYN is sent again after one second, and after three (RFC 6298, section 5.5)."""
REST_S, LONGEST_REST_S = 0.2, 3.0
"""How long a host is left alone after it lost something; twice as long each time."""


class Pace:
    """How one host is asked. It is told how long answers take, and whether a batch came back whole."""

    def __init__(self, most: int, *, window: int = FIRST) -> None:
        self._most = most
        self.window = min(window, most)
        self._smoothed_s: float | None = None
        self._varies_s = 0.0
        self.rest_s = 0.0
        self.slowed = 0

    def heard(self, after_s: float) -> None:
        """Take the time that an answer took into account (RFC 6298, section 2)."""
        if self._smoothed_s is None:
            self._smoothed_s, self._varies_s = after_s, after_s / 2
            return
        self._varies_s += (abs(self._smoothed_s - after_s) - self._varies_s) / 4
        self._smoothed_s += (after_s - self._smoothed_s) / 8

    def wait_s(self, number: int) -> float:
        """Return how long to wait for an answer, on the first pass (0) and those after it."""
        known_s = self._smoothed_s
        first_s = UNKNOWN_S if known_s is None else max(known_s + 4 * self._varies_s, 4 * known_s, SHORTEST_S)
        first_s = min(first_s, LONGEST_S)
        return first_s if number == 0 else max(PASSES_S[min(number, len(PASSES_S)) - 1], first_s)

    def went_well(self) -> None:
        """Ask twice as many at a time."""
        self.window = min(self.window * 2, self._most)
        self.rest_s = 0.0

    def lost(self) -> None:
        """Ask half as many at a time, after a rest."""
        self.slowed += 1
        self.window = max(self.window // 2, min(FEWEST, self._most))
        self._most = max(self._most * 3 // 4, self.window)  # what was too much will be so again
        self.rest_s = min(self.rest_s * 2 or REST_S, LONGEST_REST_S)

    @property
    def slowest(self) -> bool:
        """Whether it cannot go slower."""
        return self.window <= FEWEST


class Rate:
    """So many attempts a second, a tenth of a second's at once (a token bucket); None: as many as there are."""

    def __init__(self, per_s: int | None) -> None:
        self._per_s = per_s
        self._burst = max((per_s or 0) / 10, 1.0)
        self._tokens = self._burst
        self._at_s: float | None = None

    def take(self, wanted: int, now_s: float) -> int:
        """Return how many of the wanted attempts may be made now, and count them as made."""
        if self._per_s is None:
            return wanted
        gone_s = 0.0 if self._at_s is None else now_s - self._at_s
        self._at_s = now_s
        self._tokens = min(self._tokens + gone_s * self._per_s, self._burst)
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken

    @property
    def next_s(self) -> float:
        """In how long there is another."""
        return 0.0 if self._per_s is None else max((1 - self._tokens) / self._per_s, 0.0)
