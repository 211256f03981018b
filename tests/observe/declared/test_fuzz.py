"""Whatever the bytes, a reader of declarations reads on or says what is bad."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portulan.errors import ReadError
from portulan.model import PORTS, Observation
from portulan.observe.declared import NOT_FORMATS, __path__, open_declared
from portulan.observe.readers import Reader, load
from portulan.observe.readers.source import Source
from tests.observe.declared.corpus import CORPUS

READERS = sorted(load("portulan.observe.declared", __path__, NOT_FORMATS), key=lambda reader: reader.FORMAT)


def _fixtures() -> dict[str, list[tuple[str, bytes]]]:
    """Return the files of the corpus by their formats."""
    found: dict[str, list[tuple[str, bytes]]] = {}
    for source, reader in open_declared(CORPUS):
        with source:
            found.setdefault(reader.FORMAT, []).append((source.name, source.binary.read()))
    return found


FIXTURES = _fixtures()


def check(reader: Reader, name: str, data: bytes) -> None:
    """Read it: no exception but one that a user is to see, and every record has a line of the file."""
    try:
        source = Source(BytesIO(data), name)
    except ReadError:  # it begins as gzip does
        return
    last = len(source.head.splitlines()) + 1
    with source:
        assert reader.recognise(source.head, name) in {True, False}
        for one in reader.read(source):
            if isinstance(one, Observation):
                assert one.declaration is not None
                end = one.peer if one.direction == "connect" else one.local
                assert end is not None
                assert 0 < end.port < PORTS
                assert 1 <= one.declaration.line <= last
            else:
                assert 0 <= one.line <= last


@pytest.mark.parametrize("reader", READERS, ids=[reader.FORMAT for reader in READERS])
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_mutated_files(reader: Reader, data: st.DataObject) -> None:
    """Files with parts cut out, doubled, overwritten or put in are read."""
    name, content = data.draw(st.sampled_from(FIXTURES[reader.FORMAT]))
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed)))
        length = data.draw(st.integers(0, 12))
        put = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from(HOSTILE)))
        changed[place : place + length] = put
    check(reader, name, bytes(changed))


HOSTILE = [
    *(
        b"\x00",
        b"\xff\xfe",
        b"\r\n",
        b"\n",
        b"\r",
        b'"',
        b"'",
        b"{{",
        b"}}",
        b"${",
        b"$$",
        b"\\\n",
        b"<<EOF\n",
        b"*a",
        b"&a ",
    ),
    *(
        b"[" * 60,
        b"{" * 60,
        b"- ",
        b"---\n",
        b"65535",
        b"65536",
        b"0",
        b"1-65535",
        b":",
        b"/*",
        b"#",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
    ),
]


@pytest.mark.parametrize("reader", READERS, ids=[reader.FORMAT for reader in READERS])
@settings(deadline=None)
@given(data=st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(HOSTILE), max_size=20).map(b"".join)))
def test_any_bytes(reader: Reader, data: bytes) -> None:
    """Bytes of no format are read without an exception."""
    check(reader, FIXTURES[reader.FORMAT][0][0], data)


@pytest.mark.parametrize("reader", READERS, ids=[reader.FORMAT for reader in READERS])
def test_a_file_that_no_hand_has_written_is_refused(reader: Reader) -> None:
    """A file that is too large is an error with a hint, and no part of it is kept."""
    with Source(BytesIO(b"# \n" * 2_000_000), FIXTURES[reader.FORMAT][0][0]) as source, pytest.raises(ReadError):
        list(reader.read(source))
