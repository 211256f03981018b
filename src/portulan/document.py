"""The JSON documents: answers as the objects that the schemas in `portulan/schemas/` describe.

Keys are the field names of `model`; all are always present. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from portulan.model import Observation, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from portulan.answer import Answer, NameAnswer
    from portulan.model import Event, Incomplete, TransportEntry, Verdict


def plain(value: Any) -> Any:  # noqa: ANN401  # whatever the model holds, and what JSON has for it
    """Turn a value of the model into dictionaries, lists, strings, numbers and None."""
    if isinstance(value, Observation):
        return _observation(value)
    if isinstance(value, Value):
        return {field: plain(getattr(value, field)) for field in value._fields}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")  # the times of the model are aware and in UTC


def _observation(seen: Observation) -> dict[str, Any]:
    document = {field: plain(getattr(seen, field)) for field in seen._fields}
    if seen.processes_missing == "not recorded":
        document["processes"] = None  # nobody asked, which is not the same as nobody there
    return document


def port_document(answer: Answer) -> dict[str, Any]:
    """Return the document of one port number: `lookup`, `who` and the page."""
    entry = answer.entry
    return {
        "schema": "portulan.lookup/1",
        "query": answer.query,
        "port": answer.port,
        "tier": answer.tier,
        "snapshot": None if entry is None else entry.snapshot,
        "transports": None if entry is None else {on.transport: _transport(on) for on in entry.transports},
        "known_uses": None if entry is None else plain(entry.known_uses),
        "observations": plain(answer.observations),
        "verdicts": plain(answer.verdicts),
        "incomplete": plain(answer.incomplete),
        "history": plain(answer.history),
        "claims": plain(answer.claims),
    }


def event_document(event: Event) -> dict[str, Any]:
    """Return the document of something that a watch saw."""
    return {"schema": "portulan.event/1", **plain(event)}


def _transport(on: TransportEntry) -> dict[str, Any]:
    document: dict[str, Any] = plain(on)
    del document["transport"]  # it is the key
    return document


def name_document(answer: NameAnswer) -> dict[str, Any]:
    """Return the document of a service name."""
    return {
        "schema": "portulan.lookup/1",
        "query": answer.query,
        "results": [port_document(result) for result in answer.results],
        "services": plain(answer.services),
    }


def list_document(verdicts: Iterable[Verdict], snapshot: str, incomplete: tuple[Incomplete, ...]) -> dict[str, Any]:
    """Return the document of a machine's sockets."""
    return {
        "schema": "portulan.list/1",
        "snapshot": snapshot,
        "verdicts": [plain(verdict) for verdict in verdicts],
        "incomplete": plain(incomplete),
    }
