"""What tests of readers share: recorded files with what is expected of them, and any bytes."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from portulan.model import Observation, Value
from portulan.observe.readers import formats
from portulan.observe.readers.source import Bad, Source

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

DATA = Path(__file__).parents[2] / "data" / "readers"
AT = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
ALWAYS = {"observed_at": AT, "perspective": "imported", "processes_missing": "not recorded"}


def recorded(form: str) -> list[Path]:
    """Return the recorded files of a format."""
    found = sorted(path for path in (DATA / form).iterdir() if path.suffix != ".expected")
    assert found, form
    return found


def source_of(data: bytes | str, name: str = "a file") -> Source:
    """Make a source of what a file would hold."""
    return Source(io.BytesIO(data if isinstance(data, bytes) else data.encode()), name, at=AT)


def read(form: str, data: bytes | str) -> list[Observation | Bad]:
    """Read what a file would hold."""
    return list(formats()[form].read(source_of(data)))


def sockets(form: str, data: bytes | str) -> list[Observation]:
    """Read what a file would hold, in which nothing is bad."""
    records = read(form, data)
    assert not [record for record in records if isinstance(record, Bad)]
    return [record for record in records if isinstance(record, Observation)]


def render(record: Observation | Bad) -> str:
    """Write a record as a line of JSON: all that it tells, and nothing that every record has."""
    if isinstance(record, Bad):
        return json.dumps({"line": record.line, "bad": record.why}, ensure_ascii=False)
    return json.dumps(_plain(record, ALWAYS), ensure_ascii=False)


def _plain(value: object, without: dict[str, object]) -> object:
    if isinstance(value, Value):
        fields = {name: getattr(value, name) for name in value._fields}
        return {
            name: _plain(field, {})
            for name, field in fields.items()
            if field not in {None, ()} and without.get(name) != field
        }
    return [_plain(item, {}) for item in value] if isinstance(value, tuple) else value


def expected(path: Path) -> list[str]:
    """Return the lines that are expected of a recorded file."""
    return path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()


def lines_like(form: str) -> SearchStrategy[bytes]:
    """Draw files of any bytes, and recorded ones with other bytes in some place."""
    return st.binary(max_size=300) | st.builds(
        _damage, st.sampled_from(recorded(form)), st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)
    )


def _damage(path: Path, where: float, length: int, bytes_instead: bytes) -> bytes:
    data = path.read_bytes()[:6_000]
    at = int(where * len(data))
    return data[:at] + bytes_instead + data[at + length :]


def survives(form: str, data: bytes) -> None:
    """Assert that a reader reads any bytes to their end, and names lines that are there."""
    if data.startswith(b"\x1f\x8b"):  # damaged gzip is the source's to refuse
        return
    lines = len(list(source_of(data).lines()))
    records = read(form, data)
    for record in records:
        if isinstance(record, Bad):
            assert 1 <= record.line <= lines
            assert record.why
        else:
            assert isinstance(record, Observation)
            assert (record.peer is None) == (record.direction == "listen")
            assert 0 < record.local.port < 65_536
            assert (record.processes_missing is None) == bool(record.processes)
    formats()[form].recognise(source_of(data).head, "a file")
