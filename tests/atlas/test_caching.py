"""Pages as bytes: codings, tags, and a shelf with an end."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.atlas.caching import THOROUGH, Kept, Page, Shelf, choose, has_already, pack, tag_of
from tests.atlas.asking import ask

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip;q=0", ""),
        ("BR", "br"),
        ("*", "br"),
        ("*;q=0", ""),
        ("br;q=0, *", "gzip"),
        ("identity;q=1, br;q=0.5", ""),
        ("identity;q=0", ""),
        ("gzip;q=1.5", "gzip"),
        ("gzip;q=-1", ""),
        ("gzip;q=nan", ""),
        ("gzip ; q=0.3", "gzip"),
        ("deflate", ""),
        ("", ""),
    ],
)
def test_the_coding_is_what_the_client_likes_best(accepted: str, coding: str) -> None:
    """Accept-Encoding is read with its weights (RFC 9110, section 12.5.3); brotli comes before gzip."""
    assert choose(accepted.encode()) == coding


@given(st.binary(max_size=60))
def test_any_accept_encoding_is_read(accepted: bytes) -> None:
    """Whatever a client sends there, it gets a page."""
    assert choose(accepted) in {"", "br", "gzip"}


@pytest.mark.parametrize(
    ("sent", "there"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_a_tag_is_known_again(sent: str, *, there: bool) -> None:
    """If-None-Match is a list, is compared weakly, and may be a star (RFC 9110, section 13.1.2)."""
    assert has_already([(b"if-none-match", sent.encode())], b'"a"') is there


def test_each_coding_has_a_tag_of_its_own() -> None:
    """A strong tag is of the bytes: what is packed otherwise has another (RFC 9110, section 8.8.3)."""
    text = "portulan " * 200
    page = Page(lambda: text, "text/html", "t", ())
    plain, packed, zipped = [ask(page, "/", accept_encoding=coding) for coding in ("identity", "br", "gzip")]
    assert [answer.headers["etag"] for answer in (plain, packed, zipped)] == ['"t"', '"t-br"', '"t-gzip"']
    assert (
        plain.body.decode() == brotli.decompress(packed.body).decode() == gzip.decompress(zipped.body).decode() == text
    )
    assert all(answer.headers["vary"] == "Accept-Encoding" for answer in (plain, packed, zipped))
    assert "content-encoding" not in plain.headers
    assert ask(page, "/", accept_encoding="br", if_none_match='"t-gzip"').status == 200


def test_what_the_client_has_is_not_made() -> None:
    """304 comes before rendering, with the tag and without content or its description."""

    def make() -> str:
        raise AssertionError

    answer = ask(Page(make, "text/html", "t", ((b"x-said", b"1"),)), "/", if_none_match='"t"')
    assert answer.status == 304
    assert answer.body == b""
    assert answer.headers["etag"] == '"t"'
    assert answer.headers["x-said"] == "1"
    assert not {"content-type", "content-length", "content-encoding"} & answer.headers.keys()


def test_a_picture_is_not_packed() -> None:
    """What is packed already is sent as it is."""
    answer = ask(Page(lambda: b"\x89PNG" * 300, "image/png", "t", ()), "/", accept_encoding="br")
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == "1200"


def test_a_shelf_has_an_end() -> None:
    """What was asked for longest ago goes first; the bytes kept never exceed the room."""
    shelf = Shelf(room=10 * 3_048)
    for number in range(100):
        shelf.put(str(number), "", Kept(b"", [], bytes(1_000)))
        assert shelf.get("0", "") is not None
        assert shelf.used <= 10 * 3_048
    assert len(shelf) == 10
    assert shelf.get("99", "") is not None
    assert shelf.get("50", "") is None
    shelf.put("99", "", Kept(b"", [], bytes(500)))
    assert len(shelf) == 10


def test_what_is_larger_than_the_shelf_is_not_kept() -> None:
    """A page that alone has no room leaves an empty shelf, not a full one."""
    shelf = Shelf(room=5_000)
    shelf.put("small", "", Kept(b"", [], b""))
    shelf.put("large", "", Kept(b"", [], bytes(10_000)))
    assert shelf.used <= 5_000
    assert shelf.get("large", "") is None


@given(st.binary(max_size=500))
def test_packing_is_repeatable(body: bytes) -> None:
    """The same page gives the same bytes, which a strong tag promises, and they unpack to it."""
    for coding, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        assert pack(body, coding) == pack(body, coding)
        assert unpack(pack(body, coding)) == body


def test_a_tag_names_snapshot_program_and_language(tmp_path: Path) -> None:
    """Another snapshot, index or language has another tag, in characters that a tag may have."""
    index = tmp_path / "registry.idx"
    index.write_bytes(b"1")
    other = index.with_name("other.idx")
    other.write_bytes(b"2")
    tags = {tag_of(str(index), "2026-02", "en"), tag_of(str(index), "2026-02", "ko")}
    tags |= {tag_of(str(index), "2026-03", "en"), tag_of(str(other), "2026-02", "en")}
    assert len(tags) == 4
    assert all(tag.isascii() and '"' not in tag and " " not in tag for tag in tags)


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_what_stays_for_long_is_packed_harder(coding: str) -> None:
    """The chart and the files are packed as small as can be, and are the same when they are unpacked."""
    body = " ".join([f"M{port % 256} {port * 7 % 512}h{port % 5}v{port % 3}" for port in range(5_000)]).encode()
    hard, quick = pack(body, coding, THOROUGH), pack(body, coding)
    assert len(hard) < len(quick)
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress}[coding]
    assert unpack(hard) == unpack(quick) == body
