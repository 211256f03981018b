"""The search: the likely hit first, everything findable, nothing asked can break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.errors import RegistryError
from portulan.registry.index import INDEX_NAME, SEARCH_NAME
from portulan.registry.search import Hit, search

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def searched(built: Path) -> object:
    """Let the search answer from files built of the packaged data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portulan.registry.index.packaged_folder", lambda: str(built))
        patch.setenv("PORTULAN_DATA", str(built / "none"))
        yield


def place(words: str, kind: str, name: str) -> int:
    """Return at which place something is found."""
    found: list[tuple[str, str]] = [(hit.kind, hit.name) for hit in search(words)]
    assert (kind, name) in found, found
    return found.index((kind, name))


@pytest.mark.parametrize(
    ("words", "kind", "name"),
    [
        ("voip mail", "use", "3CX Phone System"),
        ("postgres", "service", "postgresql"),
        ("ostgre", "service", "postgresql"),
        ("Amitava Dutta", "service", "ncr-ccl"),
        ("amitava_dutta", "service", "ncr-ccl"),
        ("[Amitava_Dutta]", "service", "ncr-ccl"),
        ("ncr_ccl", "service", "ncr-ccl"),
        ("NCR-CCL", "service", "ncr-ccl"),
        ("ssh", "service", "ssh"),
        ("secure shell", "service", "ssh"),
        ("cl/1", "service", "cl-1"),
        ("dns", "service", "domain"),
        ("voip", "service", "sip"),
        ("mysql", "service", "mysql"),
        ("3cx", "use", "3CX Phone System"),
        ("ollama", "service", "ollama"),
    ],
)
def test_the_likely_hit_is_first(words: str, kind: str, name: str) -> None:
    """Words, parts of words, names, aliases, people and synonyms lead to what was meant."""
    assert place(words, kind, name) == 0


def test_voip_mail_is_2528() -> None:
    """The hit says which port of 3CX that is, and what for."""
    hit = search("voip mail")[0]
    assert (hit.ports, hit.transports) == ("2528", ("tcp",))
    assert "mail" in hit.description


@pytest.mark.parametrize("words", ["rfc4960", "RFC 4960", "rfc9260"])
def test_an_rfc_finds_what_cites_it(words: str) -> None:
    """Rows that cite an RFC are found by it; so are those that cited one that was replaced since."""
    hits = search(words)
    assert {"ssh", "http", "bgp", "discard"} <= {hit.name for hit in hits}
    assert all("sctp" in hit.transports for hit in hits if hit.kind == "service")
    assert all("9260" in (hit.matched or "") for hit in hits)


def test_what_matched_is_shown_where_it_is_not_seen() -> None:
    """A hit found by its assignee shows the assignee."""
    assert search("Amitava Dutta")[0].matched == "[Amitava_Dutta]"
    assert search("postgres")[0].matched is None


def test_a_product_is_one_hit() -> None:
    """3CX has two dozen cited ports; they are one line."""
    hits = [hit for hit in search("3cx") if hit.name == "3CX Phone System"]
    assert len(hits) == 1
    ports = hits[0].ports.split(", ")
    assert {"2528", "5060", "5061"} <= set(ports)
    assert len(ports) == len(set(ports))


def test_a_number_finds_what_uses_it() -> None:
    """2528 as a word is not 25280."""
    names = {hit.name for hit in search("2528")}
    assert {"ncr-ccl", "3CX Phone System"} <= names
    assert all(
        "2528" in hit.ports.split(", ") or "2528" in hit.ports for hit in search("2528") if hit.kind == "service"
    )


def test_services_without_a_port_are_found() -> None:
    """A service that has only a name is found, and has no ports."""
    (hit,) = [hit for hit in search("1password") if hit.name == "1password"]
    assert (hit.ports, hit.transports) == ("", ())


def test_all_words_count_before_any_does() -> None:
    """Where all words are found together, nothing less is shown; else any of them will do."""
    both = {hit.name for hit in search("amitava dutta")}
    assert both == {"ncr-ccl"}
    assert "ncr-ccl" in {hit.name for hit in search("amitava nosuchword")}


def test_hits_are_ranked_and_limited() -> None:
    """The order is that of the ranks, and there are as many as were asked for."""
    hits = search("server", 7)
    assert len(hits) == 7
    assert [hit.rank for hit in hits] == sorted((hit.rank for hit in hits), reverse=True)
    assert len({(hit.kind, hit.name) for hit in hits}) == 7


@pytest.mark.parametrize(
    "words",
    [
        "",
        "   ",
        '"',
        '""',
        "'",
        "*",
        "a*",
        "ssh OR",
        "NEAR(ssh)",
        "ssh NOT http",
        "called:ssh",
        "^ssh",
        "-ssh",
        "(((",
        "\x00",
        "ssh\x00",
        "\ud800",
        "%_%",
        "; DROP TABLE words",
        "x" * 10_240,
        "a " * 5_120,
        '" OR 1=1 --',
        "\u202essh",
        "١٢",
        "²",
        "ﬀ" * 50,
    ],
)
def test_hostile_words_are_words(words: str) -> None:
    """Operators, quotes, ten thousand letters, nothing at all: an answer, never an error of SQL."""
    assert all(isinstance(hit, Hit) for hit in search(words))


@given(words=st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_any_text_can_be_asked(words: str) -> None:
    """Whatever is asked, the answer is hits."""
    assert all(isinstance(hit, Hit) for hit in search(words, 3))


@pytest.mark.parametrize("data", [None, b"", b"SQLite format 3\x00" + b"\x00" * 4096, b"\x00" * 9000, b"PORTULAN"])
def test_a_bad_search_file_is_said(built: Path, data_folder: Path, data: bytes | None) -> None:
    """A missing, empty, foreign or cut file is a RegistryError that names it."""
    data_folder.mkdir()
    # The index has to count as the user's own: it was built beside the one that answers here.
    index = bytearray((built / INDEX_NAME).read_bytes())
    (data_folder / INDEX_NAME).write_bytes(own(index, built))
    if data is not None:
        (data_folder / SEARCH_NAME).write_bytes(data)
    with pytest.raises(RegistryError) as caught:
        search("ssh")
    assert str(data_folder) in caught.value.message
    assert caught.value.hint


def own(index: bytearray, built: Path) -> bytes:
    """Return an index that says it was built beside another."""
    from portulan.registry.index import check_of, stamp_of  # noqa: PLC0415  # only here

    index[44:60] = b"".join(number.to_bytes(8, "little") for number in stamp_of(str(built)))
    index[16:20] = check_of(bytes(index[20:128])).to_bytes(4, "little")
    return bytes(index)


def test_a_damaged_search_file_gives_no_traceback(built: Path, data_folder: Path) -> None:
    """With pages overwritten, a search finds something, nothing, or is refused."""
    data_folder.mkdir()
    (data_folder / INDEX_NAME).write_bytes(own(bytearray((built / INDEX_NAME).read_bytes()), built))
    data = (built / SEARCH_NAME).read_bytes()
    for page in range(1, len(data) // 4096, 37):
        damaged = data[: 4096 * page] + b"\xa5" * 4096 + data[4096 * (page + 1) :]
        (data_folder / SEARCH_NAME).write_bytes(damaged)
        for words in ("voip mail", "ostgre", "ssh"):
            try:
                hits = search(words)
            except RegistryError as error:
                hits = ()
                said = error.message
            else:
                said = SEARCH_NAME
            assert all(isinstance(hit, Hit) for hit in hits)
            assert SEARCH_NAME in said
