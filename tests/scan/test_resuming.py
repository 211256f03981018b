"""What is left of an interrupted scan is written down, read back as the same, and refused where it is damaged."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.errors import PortulanError, ReadError, WriteError
from portulan.scan.resuming import Begun, State, document_of, left_over, read_state, state_of, write_state
from portulan.scan.sweep import Left
from portulan.scan.targets import Host, Span

if TYPE_CHECKING:
    from pathlib import Path

FE80 = 0xFE80 << 112
COUNTS = (("closed", 5), ("filtered", 0), ("unreachable", 0), ("silent", 1))
LEFT = Left((9, 10, 12, 1), (3,), 1, (22, 80), COUNTS, 7)
BEGUN = (
    Begun(Host("10.0.0.1", "db.example", alone=True), LEFT, over=False, why=None),
    Begun(Host("fe80::1%lo", None, alone=False), LEFT, over=True, why="it cannot be reached"),
)
SPANS = (
    Span(4, 0x0A000001, 0x0A000001, None, "db.example", alone=True),
    Span(6, FE80 + 1, FE80 + 1, "lo", None, alone=False),
)
STATE = State(SPANS, tuple(range(1, 3000)), 2, BEGUN, connect=True)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    """What is written for this user alone is read back as the same."""
    path = tmp_path / "state.json"
    write_state(str(path), STATE)
    assert read_state(str(path)) == STATE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_state(str(path), STATE)
    assert os.listdir(tmp_path) == ["state.json"]  # noqa: PTH208  # the names


def test_hosts_that_said_nothing_are_not_kept() -> None:
    """Of hosts that are done only those are kept that said something."""
    silent = Left((1, 2), (), 0, (), (("closed", 0), ("filtered", 0), ("unreachable", 2), ("silent", 0)), None)
    passed = Begun(Host("10.0.0.9", None, alone=False), silent, over=True, why="nobody answers")
    assert left_over([*BEGUN, passed]) == list(BEGUN)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "{}", '{"schema": "portulan.scan-state/2"}', "[" * 100_000, "\x00"),
        '{"schema": "portulan.scan-state/1"}',
    ],
)
def test_what_is_no_state_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is none is an error with a hint."""
    path = tmp_path / "state.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ReadError) as raised:
        read_state(str(path))
    assert raised.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99_999) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    """With any member replaced by anything it is a state, or refused as a whole."""
    document: Any = json.loads(json.dumps(document_of(STATE)))
    place = data.draw(st.sampled_from([document, *document["targets"], *document["begun"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    try:
        state_of(document)
    except (ValueError, PortulanError):
        return


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A state that cannot be kept is an error, not a loss in silence."""
    with pytest.raises(WriteError):
        write_state(str(tmp_path / "nowhere" / "state.json"), STATE)


@pytest.mark.parametrize(
    "changes",
    [
        {"ports": ""},
        {"taken": 10**30},
        {"targets": [{"span": "127.0.0.1", "name": None, "alone": True}], "taken": 1},
    ],
)
def test_a_state_that_goes_beyond_its_targets_is_refused(changes: dict[str, object]) -> None:
    """No ports, more hosts than there are, or a host that is none of the targets: refused."""
    with pytest.raises((ValueError, PortulanError)):
        state_of({**document_of(STATE), **changes})
