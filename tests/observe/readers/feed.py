"""What the tests of readers share: reading a file or bytes, and files that are damaged."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from portulan.answer import open_map
from portulan.judging import Judging, Veil
from portulan.model import Observation
from portulan.observe.readers import find_reader
from portulan.observe.readers.source import Bad, Source, open_source

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from portulan.observe.readers import Reader

DATA = Path(__file__).parents[2] / "data" / "readers"


def recognised(name: str) -> tuple[str, list[Observation], list[Bad]]:
    """Read a fixture with the one reader that recognises it; return its format, observations and bad records."""
    with open_source(str(DATA / name)) as source:
        reader = find_reader(source)
        return reader.FORMAT, *_sorted(reader, source)


def read(reader: Reader, data: bytes | str) -> tuple[list[Observation], list[Bad]]:
    """Read bytes with a reader."""
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return _sorted(reader, Source(stream, "fed"))


def survives(reader: Reader, data: bytes) -> None:
    """Read bytes: nothing but observations, which can be judged, and bad records, which stand in the file."""
    if data.startswith(b"\x1f\x8b"):  # damaged gzip data is refused by the source
        return
    reader.recognise(Source(io.BytesIO(data), "fed").head, "fed")
    observations, bad = read(reader, data)
    judge = Judging(open_map(), Veil(with_command_lines=False))
    for observation in observations:
        assert judge(observation).because
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert all(0 <= one.line <= lines and one.why for one in bad)


def _sorted(reader: Reader, source: Source) -> tuple[list[Observation], list[Bad]]:
    observations: list[Observation] = []
    bad: list[Bad] = []
    for record in reader.read(source):
        if isinstance(record, Observation):
            observations.append(record)
        else:
            assert isinstance(record, Bad)
            bad.append(record)
    return observations, bad


def damaged(*names: str) -> SearchStrategy[bytes]:
    """Draw one of some fixtures with pieces cut out, put in or doubled; or bytes of any kind."""
    whole = [(DATA / name).read_bytes() for name in names]
    return st.binary(max_size=200) | st.sampled_from(whole).flatmap(_damage)


def _damage(data: bytes) -> SearchStrategy[bytes]:
    places = st.integers(0, len(data))
    piece = st.binary(max_size=6) | st.sampled_from(
        [b"{", b"}", b"[", b'"', b"<", b"\n", b"\\", b"\x00", b"1e999", b"-1"]
    )
    return st.lists(st.tuples(places, places, piece), min_size=1, max_size=3).map(lambda cuts: _cut(data, cuts))


def _cut(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    for start, end, piece in cuts:
        data = data[:start] + piece + data[min(end, start + 40) if end > start else end :]
    return data[:20_000]
