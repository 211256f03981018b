"""The recognisers: a module for each family of protocols, without sockets. To add a protocol is to add a file.

A module has

- `PROBES`: what to send to get an answer that tells (`answers.Probe`); none where the service speaks first or answers
  to what is sent anyway (nothing, a TLS ClientHello, an HTTP GET);
- `recognise(answer)`: what an answer is, as matches, usually none or one. Every answer goes through every recogniser,
  whatever was asked, so a recogniser looks at the bytes and not at the probe; it may use the probe and the nonce to be
  surer. It never raises, whatever bytes come, and reads no more than it is given.

Two probes go to every service that does not speak first: `tls` (a ClientHello) and `http-get` (`GET /`); every other
is sent where those told nothing, by its `rank`, or earlier where it speaks what is likely. Inside TLS all but the first
are sent again, and `answer.tls` is set. An answer without bytes goes to no recogniser.

Each is written from the protocol's specification, which the module's docstring cites. `product` and `version` are said
only where the answer itself names them.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.identify.answers import Answer, Match, Probe

__all__ = ["Recogniser", "probes", "recognise", "recognisers"]


class Recogniser(Protocol):
    """A module that knows a family of protocols."""

    __name__: str
    PROBES: tuple[Probe, ...]

    def recognise(self, answer: Answer) -> Iterable[Match]:
        """Say what an answer is."""


@cache
def recognisers() -> tuple[Recogniser, ...]:
    """Return all modules, in the order of their names."""
    names = sorted([module.name for module in pkgutil.iter_modules(__path__)])
    return tuple([importlib.import_module(f"{__name__}.{name}") for name in names])


@cache
def probes() -> dict[str, Probe]:
    """Return all probes by name. Raises ValueError where two have the same."""
    found: dict[str, Probe] = {}
    for module in recognisers():
        for probe in module.PROBES:
            if probe.name in found:
                message = f"two probes are called {probe.name!r}"
                raise ValueError(message)
            found[probe.name] = probe
    return found


def recognise(answer: Answer) -> list[Match]:
    """Return what all recognisers make of an answer, the strongest first."""
    found = [match for module in recognisers() for match in module.recognise(answer)]
    return sorted(found, key=lambda match: -match.strength)
