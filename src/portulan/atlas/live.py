"""Changes on this machine as they happen, for the pages that show it: Server-Sent Events (WHATWG HTML, section 9.2).

One watch serves all pages; it begins with the first. What is sent is which ports changed and nothing else: the page
asks again for itself. Without script, or where too many pages listen, it shows the same after a reload.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
from typing import TYPE_CHECKING

from portulan.errors import PortulanError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from portulan.model import Event

    Watching = Callable[[Sequence[tuple[int, int]]], AbstractContextManager[Iterable[tuple[Event, ...]]]]

MOST = 16
"""So many pages may listen at once."""

QUIET_S = 15
"""After so long without a change a comment is sent, to notice who has gone."""


_log = logging.getLogger(__name__)


class Full(Exception):  # noqa: N818  # reads as what happened
    """As many listen as may."""


class Listener:
    """One page: the port that it is about, None for all, and what changed since it was told."""

    def __init__(self, port: int | None) -> None:
        """Begin with no change."""
        self._port = port
        self._changed: set[int] = set()
        # What a page shows was read between two looks, and may be gone again before the second: that look tells of
        # nothing, and the page is to ask once more.
        self._unsettled = True
        self.woken = asyncio.Event()

    def note(self, ports: Iterable[int]) -> None:
        """Note what a look has found changed; however much it is, it is told once."""
        wanted = {port for port in ports if self._port in {None, port}}
        self._changed |= wanted
        if wanted or self._unsettled:
            self._unsettled = bool(wanted)
            self.woken.set()

    def take(self) -> bytes:
        """Return what is to be told, and forget it."""
        changed, self._changed = sorted(self._changed), set()
        self.woken.clear()
        return b"data: %b\n\n" % (" ".join(map(str, changed)) or "settled").encode()


class Live:
    """One watch, and the pages that listen to it.

    `watching` begins a watch, given the descriptors that interrupt its wait (`portulan.watched.watch`).
    """

    def __init__(self, watching: Watching) -> None:
        """Begin without a listener, and so without a watch."""
        self._watching = watching
        self._listeners: set[Listener] = set()
        self._thread: threading.Thread | None = None
        self._over = False
        self._ending: tuple[int, int] | None = None

    def listen(self, port: int | None) -> Listener:
        """Add a page. Raises Full."""
        if len(self._listeners) >= MOST or self._over:
            raise Full
        listener = Listener(port)
        self._listeners.add(listener)
        if self._thread is None:
            self._ending = os.pipe()
            self._thread = threading.Thread(target=self._watch, args=(asyncio.get_running_loop(),), daemon=True)
            self._thread.start()
        return listener

    async def stream(self, listener: Listener) -> AsyncIterator[bytes]:
        """Yield what a page is told, until it has gone or all is over."""
        try:
            yield b"retry: 5000\n\n"
            while not self._over:
                try:
                    await asyncio.wait_for(listener.woken.wait(), QUIET_S)
                except TimeoutError:
                    yield b":\n\n"
                else:
                    if not self._over:
                        yield listener.take()
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End the watch and all streams."""
        self._over = True
        for listener in self._listeners:
            listener.woken.set()
        if self._ending is not None:
            os.write(self._ending[1], b"\n")

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch, in a thread of its own; where that fails pages show what is new after a reload."""
        assert self._ending is not None  # noqa: S101  # for the type checker
        try:
            with self._watching([(self._ending[0], select.POLLIN)]) as watched:
                for events in watched:
                    if self._over:
                        return
                    if self._listeners:
                        loop.call_soon_threadsafe(self._tell, frozenset(_ports(events)))
        except (PortulanError, OSError) as error:
            _log.error("changes cannot be watched: %s", error)  # an operator's line, no traceback
        except RuntimeError:
            return  # the loop has ended meanwhile

    def _tell(self, ports: frozenset[int]) -> None:
        for listener in self._listeners:
            listener.note(ports)


def _ports(events: Iterable[Event]) -> Iterator[int]:
    """Yield the ports that events are about: those that are held, and those that are dialled."""
    for event in events:
        seen = event.observation
        if seen.direction == "connect" and seen.peer is not None:
            yield seen.peer.port
        else:
            yield seen.local.port
