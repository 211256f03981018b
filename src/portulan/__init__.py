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
    policy = portulan.read_policy("ports.toml")
    for finding in portulan.check_machine(policy).findings: ...   # what is otherwise than expected
    with portulan.hold("web") as held: ...    # a port of one's own: chosen, claimed, bound, handed over
    with portulan.open_ledger() as ledger: ...    # who has claimed which
    portulan.search("voip mail")              # over names, descriptions and known uses

Values are immutable and typed; errors descend from `PortulanError`. Names are loaded when they are first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.answer import Answer, Machine, NameAnswer, ask, lookup, machine, who
    from portulan.checked import check_machine, read_policy
    from portulan.coordinate.hold import Hold
    from portulan.coordinate.ledger import Ledger, open_ledger
    from portulan.errors import (
        ClaimConflict,
        LedgerError,
        NotFound,
        NotPermitted,
        NotSupported,
        ObserveError,
        PolicyError,
        PortulanError,
        RecordingError,
        RegistryError,
        UsageError,
    )
    from portulan.held import hold
    from portulan.judge.findings import Check, Finding
    from portulan.judge.policy import Policy, Rule
    from portulan.model import (
        Assignment,
        Citation,
        Claim,
        Endpoint,
        Entry,
        Episode,
        Event,
        Evidence,
        Executable,
        Grade,
        Holder,
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
    "portulan.checked": ("check_machine", "read_policy"),
    "portulan.coordinate.hold": ("Hold",),
    "portulan.coordinate.ledger": ("Ledger", "open_ledger"),
    "portulan.errors": (
        "ClaimConflict",
        "LedgerError",
        "NotFound",
        "NotPermitted",
        "NotSupported",
        "ObserveError",
        "PolicyError",
        "PortulanError",
        "RecordingError",
        "RegistryError",
        "UsageError",
    ),
    "portulan.held": ("hold",),
    "portulan.judge.findings": ("Check", "Finding"),
    "portulan.judge.policy": ("Policy", "Rule"),
    "portulan.model": (
        "Assignment",
        "Citation",
        "Claim",
        "Endpoint",
        "Entry",
        "Episode",
        "Event",
        "Evidence",
        "Executable",
        "Grade",
        "Holder",
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
    "Check",
    "Citation",
    "Claim",
    "ClaimConflict",
    "Endpoint",
    "Entry",
    "Episode",
    "Event",
    "Evidence",
    "Executable",
    "Finding",
    "Grade",
    "Hit",
    "Hold",
    "Holder",
    "Identification",
    "Incomplete",
    "KnownUse",
    "Ledger",
    "LedgerError",
    "Machine",
    "NameAnswer",
    "NotFound",
    "NotPermitted",
    "NotSupported",
    "Note",
    "Observation",
    "ObserveError",
    "Policy",
    "PolicyError",
    "PortRange",
    "PortulanError",
    "Process",
    "RecordingError",
    "Redirect",
    "RegistryError",
    "Rule",
    "TransportEntry",
    "UsageError",
    "Verdict",
    "Watched",
    "__version__",
    "ask",
    "check_machine",
    "hold",
    "lookup",
    "machine",
    "open_ledger",
    "read_policy",
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
