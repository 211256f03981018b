"""Portulan: what is on this port, and is it what belongs there.

::

    import portulan

    answer = portulan.ask("2528")             # map, territory and verdicts
    for verdict in answer.verdicts:
        print(verdict.attention, verdict.judgement, verdict.because[-1].statement)

    portulan.lookup("ssh")                    # the map alone
    portulan.who(2528)                        # the sockets alone
    for verdict in portulan.machine(): ...    # every listening port here
    with portulan.watch() as watched: ...     # what appears, vanishes and changes its holder
    portulan.search("voip mail")              # over names, descriptions and known uses

Values are immutable and typed; errors descend from `PortulanError`. Names are loaded when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.answer import Answer, Machine, NameAnswer, ask, lookup, machine, who
    from portulan.errors import (
        NotFound,
        NotPermitted,
        NotSupported,
        ObserveError,
        PortulanError,
        RecordingError,
        RegistryError,
        UsageError,
    )
    from portulan.model import (
        Assignment,
        Citation,
        Endpoint,
        Entry,
        Episode,
        Event,
        Evidence,
        Executable,
        Grade,
        Identification,
        Incomplete,
        KnownUse,
        Note,
        Observation,
        PortRange,
        Process,
        Redirect,
        TransportEntry,
        Verdict,
    )
    from portulan.registry.search import Hit, search
    from portulan.watched import Watched, watch

__version__ = "0.1.0"

_HOMES = {
    "portulan.answer": (
        "Answer",
        "Machine",
        "NameAnswer",
        "ask",
        "lookup",
        "machine",
        "who",
    ),
    "portulan.errors": (
        "NotFound",
        "NotPermitted",
        "NotSupported",
        "ObserveError",
        "PortulanError",
        "RecordingError",
        "RegistryError",
        "UsageError",
    ),
    "portulan.model": (
        "Assignment",
        "Citation",
        "Endpoint",
        "Entry",
        "Episode",
        "Event",
        "Evidence",
        "Executable",
        "Grade",
        "Identification",
        "Incomplete",
        "KnownUse",
        "Note",
        "Observation",
        "PortRange",
        "Process",
        "Redirect",
        "TransportEntry",
        "Verdict",
    ),
    "portulan.registry.search": ("Hit", "search"),
    "portulan.watched": ("Watched", "watch"),
}

__all__ = [
    "Answer",
    "Assignment",
    "Citation",
    "Endpoint",
    "Entry",
    "Episode",
    "Event",
    "Evidence",
    "Executable",
    "Grade",
    "Hit",
    "Identification",
    "Incomplete",
    "KnownUse",
    "Machine",
    "NameAnswer",
    "NotFound",
    "NotPermitted",
    "NotSupported",
    "Note",
    "Observation",
    "ObserveError",
    "PortRange",
    "PortulanError",
    "Process",
    "RecordingError",
    "Redirect",
    "RegistryError",
    "TransportEntry",
    "UsageError",
    "Verdict",
    "Watched",
    "__version__",
    "ask",
    "lookup",
    "machine",
    "search",
    "watch",
    "who",
]


def __getattr__(name: str) -> object:
    """Load a public name from its room (PEP 562): importing portulan costs what is used of it."""
    for home, names in _HOMES.items():
        if name in names:
            module = __import__(home, fromlist=[name])
            value = globals()[name] = getattr(module, name)
            return value
    message = f"module 'portulan' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
