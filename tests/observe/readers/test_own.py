"""Portulan's own documents, read back."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan import answer
from portulan.document import event_document, list_document, name_document, plain, port_document
from portulan.model import Event, Observation, Verdict, replace, tier_of
from portulan.observe.readers import find_reader, own
from portulan.observe.readers.source import Bad
from tests import strategies
from tests.observe.readers.feed import read, survives

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def as_read(observation: Observation) -> Observation:
    """Return an observation as it comes back: what was live is imported, and an empty owner that nobody recorded."""
    return replace(observation, perspective="imported") if observation.perspective == "live" else observation


def verdict_on(observation: Observation) -> Verdict:
    """Return some verdict."""
    return Verdict(observation, "unknown", None, "look", "PT111", (), None, ())


def port_of(observations: Sequence[Observation], *, judged: bool = True) -> answer.Answer:
    """Return the answer about a port, with its observations and the same again with verdicts."""
    seen = tuple(observations)
    verdicts = tuple(map(verdict_on, seen)) if judged else None
    return answer.Answer("22", 22, None, tier_of(22), None, seen, verdicts, ())


def texts_of(document: dict[str, Any]) -> list[str]:
    """Write a document in one line, and pretty."""
    return [json.dumps(document), json.dumps(document, indent=2), f"[\n{json.dumps(document, indent=4)}\n]\n"]


some = st.lists(strategies.observations(), max_size=3)


@given(some, st.booleans())
def test_documents_come_back_field_by_field(observations: list[Observation], judged: bool) -> None:  # noqa: FBT001  # drawn
    """Every document, in one line and pretty-printed, gives the observations that it was made of, each once."""
    listed = list_document(map(verdict_on, observations), "2026-02", ())
    documents = [
        listed,
        {"schema": "portulan.observations/1", "observations": plain(tuple(observations)), "incomplete": []},
        port_document(port_of(observations, judged=judged)),
        name_document(answer.NameAnswer("ssh", (), (port_of(observations, judged=judged),))),
    ]
    expected = [*map(as_read, observations)]
    for document in documents:
        for text in texts_of(document):
            assert read(own, text) == (expected, [])


@given(some)
def test_lines_come_back_field_by_field(observations: list[Observation]) -> None:
    """So do JSON Lines of observations, verdicts and events; what has vanished was told of before."""
    expected = [*map(as_read, observations)]
    lines = [
        [{"schema": "portulan.observation/1", **plain(seen)} for seen in observations],
        [{"schema": "portulan.verdict/1", **plain(verdict_on(seen))} for seen in observations],
        [
            event_document(Event(NOON, event, seen, None, None))
            for seen in observations
            for event in ("appeared", "vanished")
        ],
    ]
    for documents in lines:
        assert read(own, "".join(json.dumps(document) + "\n" for document in documents)) == (expected, [])


def document_of(**changes: object) -> dict[str, Any]:
    """Return the document of one plain observation with some members changed; those that are `...` are left out."""
    document = {
        "schema": "portulan.observation/1",
        "observed_at": "2026-11-24T12:00:00Z",
        "host": "pbx1",
        "perspective": "live",
        "direction": "listen",
        "transport": "tcp",
        "local": {"address": "0.0.0.0", "port": 22},
        "peer": None,
        "socket_state": "listen",
        "processes": None,
        "processes_missing": "not recorded",
        "unit": None,
        "container": None,
        "package": None,
        "network_namespace": None,
        **changes,
    }
    return {name: value for name, value in document.items() if value is not ...}


def test_keys_that_came_later_may_be_missing_and_others_unknown() -> None:
    """A document of an older version has fewer keys, one of a newer version more: both are read."""
    observations, bad = read(own, json.dumps(document_of(something={"new": [1]})))
    assert not bad
    (seen,) = observations
    assert (seen.host, seen.perspective, seen.processes, seen.processes_missing, seen.in_flight) == (
        "pbx1",
        "imported",
        (),
        "not recorded",
        (),
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"direction": "sideways"}, "direction: 'sideways' is not one of listen, connect, accept"),
        ({"transport": ...}, "no transport"),
        ({"local": {"address": "::", "port": 65536}}, "local: port: '65536' is not a port number"),
        ({"local": {"address": "::", "port": True}}, "local: port: 'True' is not a number"),
        ({"observed_at": "yesterday"}, "observed_at: 'yesterday' is not a time"),
        ({"observed_at": "2026-11-24T12:00:00"}, "observed_at: '2026-11-24T12:00:00' is not a time with a zone"),
        ({"processes": [{"pid": 1}]}, "processes: no name"),
        ({"host": 7}, "host: '7' is not a text"),
        (
            {"schema": "portulan.observation/2"},
            "a document of 'portulan.observation/2', which this version of Portulan",
        ),
        ({"schema": ...}, "no schema"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], why: str) -> None:
    """A record with a field that is missing or wrong is bad on its line and says which; the next is read."""
    lines = [json.dumps(document_of(**changes)), json.dumps(document_of())]
    observations, bad = read(own, "\n".join(lines))
    assert len(observations) == 1
    ((line, said),) = [(one.line, one.why) for one in bad]
    assert (line, said[: len(why)]) == (1, why)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_of_another_version_is_refused(indent: int | None) -> None:
    """A list of a version that is not known is one bad record, and no socket of it is guessed at."""
    listed = {"schema": "portulan.list/2", "snapshot": "2027-01", "verdicts": [{"subject": document_of()}] * 3}
    observations, bad = read(own, json.dumps(listed, indent=indent))
    assert not observations
    assert bad == [Bad(1, "a document of 'portulan.list/2', which this version of Portulan does not read")]


def test_a_document_that_was_cut_off() -> None:
    """Of a list that ends too early every whole element is read, and the end is told."""
    text = json.dumps({"schema": "portulan.list/1", "verdicts": [{"subject": document_of()}] * 3}, indent=1)
    observations, bad = read(own, text[: text.rindex('"transport"')])
    assert len(observations) == 2
    assert [one.why for one in bad] == [
        "not JSON: the file ends within it",
        "the file ends within the document that begins here",
    ]


def test_a_long_list_is_not_held() -> None:
    """A document of any length takes the memory of an element and a little more, pretty-printed too."""
    element = json.dumps({"subject": document_of(host="h" * 2000)}, indent=4)

    class Long:
        """A stream of a document with twenty thousand elements, forty megabytes."""

        def __init__(self) -> None:
            self.rest = iter(
                [b'{"schema": "portulan.list/1", "verdicts": [', *[element.encode() + b",\n"] * 20_000, b"]}"]
            )

        def read(self, _size: int) -> bytes:
            return next(self.rest, b"")

    from portulan.observe.readers.source import Source  # noqa: PLC0415  # after the class that stands in for a file

    source = Source(Long(), "long")  # type: ignore[arg-type]  # it has what a source reads by
    tracemalloc.start()
    try:
        count = sum(1 for record in own.read(source) if isinstance(record, Observation))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 8_000_000


def test_sockets_of_one_process_share_it() -> None:
    """Equal owners are one object, so that what is weighed once for one is not weighed again."""
    owner = dict.fromkeys(("pid", "name", "executable", "command_line", "user", "started_at")) | {"pid": 812}
    text = "".join(
        json.dumps(document_of(processes=[owner], processes_missing=None, local={"address": "::", "port": port})) + "\n"
        for port in (1, 2)
    )
    first, second = read(own, text)[0]
    assert first.processes is second.processes


@given(st.lists(strategies.observations(), max_size=2), st.data())
def test_any_bytes(observations: list[Observation], data: st.DataObject) -> None:
    """Whatever a file holds, reading it as Portulan's own never fails."""
    whole = json.dumps(list_document(map(verdict_on, observations), "2026-02", ()), indent=1).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 50)))
    survives(own, whole[:start] + data.draw(st.binary(max_size=6)) + whole[end:])


def test_what_the_door_writes_is_recognised(tmp_path: Any) -> None:  # noqa: ANN401  # pytest's path
    """A document of any kind is recognised by its first key, by this reader alone."""
    from portulan.observe.readers.source import open_source  # noqa: PLC0415  # as above

    path = tmp_path / "list.json"
    path.write_text(json.dumps(list_document([], "2026-02", ()), indent=2), "utf-8")
    with open_source(str(path)) as source:
        assert find_reader(source) is own
