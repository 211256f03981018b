"""Standard output of a watch: what its reader takes is written, the rest waits, and the watch goes on."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from portulan.cli.watch import Ending

MOST_WAITING_BYTES = 16_777_216
PATIENCE_S = 5.0
"""So long a watch waits for a slow reader before something is dropped, until that has caught up."""
LAST_PATIENCE_S = 1.0
"""So long it waits when a signal has ended it."""

_AT_ONCE = select.PIPE_BUF  # a pipe that is ready takes so much without a wait (pipe(7))
_LONGEST_WAIT_S = 3_600


class Outlet:
    """Takes lines and writes them as they are read; beyond a limit it drops and counts them.

    `wake` is what interrupts the wait for the next look, as poll(2) takes it: a signal, a reader that goes, and while
    something waits, a reader that takes something. It changes, and is to be read anew for each wait.
    """

    def __init__(self, ending: Ending) -> None:
        """Begin with nothing that waits."""
        self._ending = ending
        self._waiting = bytearray()
        self._dropped = 0
        self._patience_s = PATIENCE_S
        self._descriptor = descriptor_of(sys.stdout)
        self.wake = [(ending.wake, select.POLLIN)]
        self._poll = select.poll()
        self._poll.register(ending.wake, select.POLLIN)
        if self._descriptor is not None:
            self.wake.append((self._descriptor, 0))  # errors come unasked
            self._poll.register(self._descriptor, select.POLLOUT)

    def put(self, line: str) -> None:
        """Take a line; `flush` writes it."""
        if self._descriptor is None:
            sys.stdout.write(line)
            return
        data = line.encode(sys.stdout.encoding, "backslashreplace")
        room = MOST_WAITING_BYTES - len(data)
        if len(self._waiting) > room:
            began = time.monotonic()
            self._write(room, began + self._patience_s)
            self._patience_s -= min(time.monotonic() - began, self._patience_s)
        if len(self._waiting) > room:
            self._dropped += 1
        else:
            self._waiting += data

    def flush(self) -> None:
        """Write what the reader takes now."""
        if self._descriptor is None:
            sys.stdout.flush()
            return
        self._write(0, 0)
        if not self._waiting:
            self._patience_s = PATIENCE_S
        self.wake[1] = (self._descriptor, select.POLLOUT if self._waiting else 0)

    def finish(self) -> None:
        """Write the rest, however long the reader takes; after a signal drop what it does not take soon."""
        while self._waiting and not self._ending.has_come():
            self._write(0, time.monotonic() + _LONGEST_WAIT_S)
        self._write(0, time.monotonic() + LAST_PATIENCE_S)
        self._dropped += self._waiting.count(b"\n")
        self._waiting.clear()

    def count_dropped(self) -> int:
        """Return how many lines were dropped since this was asked, once the reader has caught up."""
        if self._waiting:
            return 0
        dropped, self._dropped = self._dropped, 0
        return dropped

    def is_deserted(self) -> bool:
        """Tell whether nobody reads any more what is written."""
        if self._descriptor is None:
            return False
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return any(events & (select.POLLERR | select.POLLHUP) for _descriptor, events in poll.poll(0))

    def _write(self, leave: int, until: float) -> None:
        """Write until no more than so many bytes wait, it is too late, or a signal ends the watch."""
        while len(self._waiting) > leave and self._descriptor is not None and self._is_taken(until):
            del self._waiting[: os.write(self._descriptor, self._waiting[:_AT_ONCE])]

    def _is_taken(self, until: float) -> bool:
        """Wait for the reader to take something."""
        while True:
            left_s = max(until - time.monotonic(), 0)
            ready = dict(self._poll.poll(left_s * 1_000))
            if self._descriptor in ready:
                return True
            if not ready or self._ending.has_come():
                return False


def descriptor_of(stream: TextIO) -> int | None:
    """Return the descriptor of a stream; None where it has none."""
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def is_taken(stream: TextIO) -> bool:
    """Tell whether something could be written to a stream now without a wait, or with an error."""
    descriptor = descriptor_of(stream)
    if descriptor is None:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
