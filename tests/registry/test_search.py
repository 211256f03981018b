"""The search: the likely hit first, everything findable, nothing asked can break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.errors import RegistryError
from portulan.registry.index import INDEX_NAME, SEARCH_NAME
from portulan.registry.search import MAX_OF_PRODUCT, Hit, _distance, search

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.registry.facts import Facts


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
    assert search("dns")[0].matched == "dns"
    assert search("rdp")[0].matched == "rdp"


def test_the_ports_of_a_hit_are_for_what_it_says() -> None:
    """A hit of a product has the ports that it holds, or dials, for one reason; all of one product, if it was named."""
    hits = {hit.description: hit for hit in search("3cx", 50) if hit.name == "3CX Phone System"}
    assert len(hits) > MAX_OF_PRODUCT
    assert all(description.startswith(("holds: ", "dials: ")) for description in hits)
    (web,) = [hit for description, hit in hits.items() if description.startswith("holds: web client")]
    assert (web.ports, web.transports) == ("5001", ("tcp",))
    push = [hit for description, hit in hits.items() if description.startswith("dials: Apple push")]
    assert push
    assert all("2528" not in hit.ports for hit in push)


def test_several_ports_for_one_reason_are_one_hit(facts: Facts) -> None:
    """They stand in order, and each is cited on each of the transports that the hit has."""
    hits = [hit for words in ("dicom", "gnunet", "game", "torrent") for hit in search(words, 200) if hit.kind == "use"]
    cited = {(use.product, use.ports.first, use.ports.last, use.transport) for use in facts.uses}
    assert any(", " in hit.ports for hit in hits)
    for hit in hits:
        ends = [[int(end) for end in span.split("-")] for span in hit.ports.split(", ")]
        assert ends == sorted(ends)
        assert {(hit.name, end[0], end[-1], on) for end in ends for on in hit.transports} <= cited


@pytest.mark.parametrize("words", ["mail", "voip", "k8s", "e", "web", "monitoring"])
def test_no_product_floods_the_list(words: str) -> None:
    """A product that was not asked for by its name has three hits at most."""
    names = [hit.name for hit in search(words, 60) if hit.kind == "use"]
    assert max(map(names.count, names)) <= MAX_OF_PRODUCT


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("3cx", {("3CX Phone System", "443")}),
        ("camera", {("rtsp", "554")}),
        ("chat", {("irc", "194"), ("xmpp-client", "5222")}),
        ("database", {("postgresql", "5432"), ("mysql", "3306")}),
        ("dns", {("domain", "53")}),
        ("docker", {("docker", "2375"), ("docker-s", "2376")}),
        ("file sharing", {("Samba", "445"), ("Linux NFS server", "2049")}),
        ("game server", {("Minecraft Java server", "25565")}),
        ("iot", {("mqtt", "1883"), ("coap", "5683")}),
        ("k8s", {("Kubernetes", "6443")}),
        ("kubernetes", {("Kubernetes", "6443"), ("Kubernetes", "10250")}),
        ("mail", {("smtp", "25"), ("imap", "143"), ("pop3", "110")}),
        ("minecraft", {("Minecraft Java server", "25565"), ("Minecraft Bedrock server", "19132")}),
        ("mysql port", {("mysql", "3306")}),
        ("plex", {("plex", "32400")}),
        ("printer", {("printer", "515"), ("ipp", "631")}),
        ("rdp", {("ms-wbt-server", "3389")}),
        ("redis", {("redis", "6379")}),
        ("remote desktop", {("ms-wbt-server", "3389"), ("rfb", "5900")}),
        ("smb", {("microsoft-ds", "445")}),
        ("ssh", {("ssh", "22")}),
        ("ssh server", {("ssh", "22"), ("OpenSSH server", "22")}),
        ("torrent", {("BitTorrent clients", "6881-6889")}),
        ("vpn", {("WireGuard", "51820"), ("openvpn", "1194")}),
        ("web", {("http", "80"), ("https", "443")}),
        ("web server", {("http", "80"), ("https", "443")}),
        ("wireguard", {("WireGuard", "51820")}),
    ],
)
def test_everyday_words_find_what_is_expected(words: str, expected: set[tuple[str, str]]) -> None:
    """What most people mean is among the first three."""
    assert expected <= {(hit.name, hit.ports) for hit in search(words)[:3]}


@pytest.mark.parametrize("words", ["2528", "port 2528", "2528/tcp", "TCP port 2528", "service 2528"])
def test_a_number_comes_first(words: str) -> None:
    """A number, however it is written, finds the service and the product that have it before anything else."""
    assert [hit.name for hit in search(words)[:2]] == ["ncr-ccl", "3CX Phone System"]


def test_a_number_in_a_range_is_found() -> None:
    """6005 is one of the numbers of x11, whose text it is not in."""
    assert search("6005")[0].name == "x11"


def test_a_transport_leaves_out_the_others() -> None:
    """With a transport, what is not on it is left out, unless nothing is on it; alone it is a word."""
    assert all("udp" in hit.transports for hit in search("dns udp"))
    assert search("53/udp")[0].name == "domain"
    assert search("2528/dccp")[0].name == "ncr-ccl"
    assert "tcpmux" in {hit.name for hit in search("tcp")}


def test_a_name_without_a_port_is_behind_what_has_one() -> None:
    """IANA has the names mail, iot, smb and rdp without a port; who asks wants a port."""
    for words in ("mail", "iot", "smb", "rdp"):
        hits = search(words, 200)
        assert all(hit.ports for hit in hits[:3])
        assert words in {hit.name for hit in hits if not hit.ports}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("postgress", "postgresql"),
        ("postgress database", "postgresql"),
        ("minecaft", "Minecraft Java server"),
        ("kuberntes", "Kubernetes"),
        ("wiregaurd", "WireGuard"),
        ("elasticsaerch", "Elasticsearch"),
        ("reids", "redis"),
    ],
)
def test_misspelt_words_are_found(words: str, name: str) -> None:
    """One letter wrong, missing, too many or swapped, two in a long word: the nearest words are meant."""
    assert name in {hit.name for hit in search(words)[:3]}


@pytest.mark.parametrize("words", ["zzzzqqqq", "nosuchword", "blorptang", "xqj", "qwxzvk wvutqz", "99999"])
def test_what_is_like_nothing_finds_nothing(words: str) -> None:
    """Where no word is near, there is no hit."""
    assert search(words) == ()


@given(one=st.text("abc", max_size=7), other=st.text("abc", max_size=7), most=st.integers(0, 3))
@settings(deadline=None)
def test_the_distance_is_that_of_single_edits(one: str, other: str, most: int) -> None:
    """The distance is symmetric, 0 for the same word only, and 1 where one edit leads from one to the other."""
    distance = _distance(one, other, most)
    assert (distance <= most) == (_distance(other, one, most) <= most)
    assert (distance == 0) == (one == other)
    edits = {
        *(one[:at] + one[at + 1 :] for at in range(len(one))),
        *(one[:at] + letter + one[at:] for at in range(len(one) + 1) for letter in "abc"),
        *(one[:at] + letter + one[at + 1 :] for at in range(len(one)) for letter in "abc"),
        *(one[:at] + one[at + 1] + one[at] + one[at + 2 :] for at in range(len(one) - 1)),
    }
    if most:
        assert (distance == 1) == (other in edits and one != other)


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
    assert len({(hit.kind, hit.name, hit.description) for hit in hits}) == 7


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


def test_a_letter_alone_is_a_word() -> None:
    """One letter finds what has it as a word, and what it stands for, not all that begins with it."""
    assert "ms-sql-s" in {hit.name for hit in search("s")}
    assert "ssh" not in {hit.name for hit in search("s", 1_000)}
    assert search("x")[0].name == "x11"
