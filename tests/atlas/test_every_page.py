"""Every port has its page: well-formed, in agreement with its JSON twin and IANA's table, and proving what it says."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from html import unescape
from typing import TYPE_CHECKING

import pytest

from portulan.answer import Answer, lookup
from portulan.atlas.page import FEWEST, page_of
from portulan.atlas.terms import terms_in
from portulan.atlas.words import Words
from portulan.document import port_document
from portulan.model import PORTS
from tests.atlas.reading import Document, text_of
from tests.test_every_port import state_of

if TYPE_CHECKING:
    from portulan.atlas.page import Page
    from portulan.atlas.render import Renderer

CHUNK = PORTS // 16
TELLING = (0, 1, 21, 22, 25, 80, 443, 465, 512, 902, 1028, 1744, 2528, 3478, 4000, 5349, 5432, 5436, 8000, 8080, 9100)
"""Ports with much, with little, with several rows, with rows of one transport, reserved, deprecated."""

EMPTY = (10276, 14001, 25565, 49151, 49152, 51820, 60648, 65535)
"""Ports without an assignment: in ranges, removed, famous all the same, dynamic."""


def some_ports() -> list[int]:
    """Return 3,000 ports, the same each time, with those that are known to be special."""
    chosen = random.Random(8).sample(range(PORTS), 3000 - len(TELLING) - len(EMPTY))  # noqa: S311  # a sample
    return sorted({*chosen, *TELLING, *EMPTY})


def answer_of(port: int) -> Answer:
    """Ask the map of one port."""
    answer = lookup(port)
    assert isinstance(answer, Answer)
    return answer


def one_line(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


def check_structure(document: Document) -> None:
    """Assert one heading of the page, and that each link to a place on it leads somewhere."""
    assert document.headings == 1
    assert {link[1:] for link in document.links if link.startswith("#")} <= document.ids


def check_rows(document: Document, port: int, rows: list[dict[str, str]], words: Words) -> None:
    """Assert that the page has each column of each of IANA's rows, and the states that they give."""
    called = terms_in(words)["state"]
    said = document.text("main")
    states = defaultdict(set)
    for row in rows:
        for transport in [row["Transport Protocol"]] if row["Transport Protocol"] else ["tcp", "udp"]:
            states[transport].add(state_of(row["Service Name"], row["Description"]))
        is_alias = "This entry is an alias to" in row["Assignment Notes"]
        for column in ("Service Name",) if is_alias else row:
            # A few rows of IANA's are ranges of one number: 4748-4748.
            text = re.sub(r"^([0-9]+)-\1$", r"\1", one_line(row[column]))
            assert text in said, (port, column)
    for transport in ("tcp", "udp", "sctp", "dccp"):
        state = next((each for each in ("assigned", "reserved") if each in states[transport]), "unassigned")
        assert f"{transport} {called[state]}" in said, (port, transport)


def check_twin(document: Document, answer: Answer) -> None:
    """Assert that what the JSON document says of the map and of known uses stands on the page."""
    twin = port_document(answer)
    said = document.text("main")
    for on in twin["transports"].values():
        for row in on["assignments"]:
            for field in ("service_name", "description", "assignee", "contact", "registration_date", "reference"):
                assert one_line(row[field] or "") in said, (answer.port, field)
            assert all(alias in said for alias in row["aliases"])
        if on["grade"] and on["grade"]["specification"]:
            assert one_line(on["grade"]["specification"]["title"]) in said
    uses = twin["known_uses"]
    shown = document.text("uses")
    assert sum(one_line(use["citation"]["title"]) in shown for use in uses) >= min(len(uses), FEWEST)
    assert f'href="/{answer.port}.json"' in document.markup


def check_statements(document: Document, page: Page, assigned: set[int], words: Words) -> None:
    """Walk through the sentences: each stands on the page and links its records, which contain what it prints."""
    said = document.text("main")
    for statement in page.statements():
        assert one_line(statement.text) in said, statement
        assert statement.records, statement
        for record in statement.records:
            assert f'href="{record.href}"' in document.markup, record
            if record.href.startswith("#"):
                assert one_line(record.value) in document.text(record.href[1:]), record
            else:
                assert record.href == f"{words.prefix}/{record.value}", record
                assert int(record.value) in assigned, record


def check_page(port: int, renderer: Renderer, rows: dict[int, list[dict[str, str]]], assigned: set[int]) -> str:
    """Assert all of this of one page, and return it."""
    answer = answer_of(port)
    document = Document(renderer.port(answer))
    check_structure(document)
    check_rows(document, port, rows.get(port, []), renderer.words)
    check_twin(document, answer)
    check_statements(document, page_of(answer, renderer.catalogue, renderer.words), assigned, renderer.words)
    return document.markup


def test_some_pages(renderer: Renderer, published: dict[int, list[dict[str, str]]], assigned: set[int]) -> None:
    """Of 3,000 ports each page is well-formed, agrees with its twin and with IANA's rows, and proves its sentences."""
    for port in some_ports():
        check_page(port, renderer, published, assigned)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, PORTS, CHUNK))
def test_every_page(
    renderer: Renderer, published: dict[int, list[dict[str, str]]], assigned: set[int], start: int
) -> None:
    """Of all 65,536 ports each page is well-formed, agrees with its twin and IANA's rows, and proves its sentences."""
    for port in range(start, start + CHUNK):
        check_page(port, renderer, published, assigned)


def test_a_port_without_facts_has_a_short_page(renderer: Renderer) -> None:
    """Where nothing is known, the page says so in two sentences, and that is what is known and not what there is."""
    page = page_of(answer_of(272), renderer.catalogue, Words())
    assert [statement.text for statement in page.verdict] == [
        "272/tcp and 272/udp are not assigned: IANA's row says 272-279 Unassigned.",
        "No use of it is known.",
    ]
    assert "That is what is known to us, not that there is none." in Document(renderer.port(answer_of(272))).text(
        "uses"
    )
    assert not page.disputes
    assert not page.history


def test_the_story_of_2528(renderer: Renderer) -> None:
    """2528 says what the map has, who is reported to dial it, and both readings of the name with their sources."""
    page = page_of(answer_of(2528), renderer.catalogue, Words())
    assert [statement.text for statement in page.verdict] == [
        (
            "2528/tcp and 2528/udp are registered as ncr-ccl by Amitava_Dutta, "
            "with neither a registration date nor a document."
        ),
        "3CX Phone System is reported to dial 2528/tcp for SMTP.",
    ]
    disputes = dict(page.disputes)
    assert [claim.says for claim in disputes["name"]] == [
        "NCR Customer Communication Link",
        "CCL Agent: Customer Care Link Agent",
    ]
    assert len(disputes["direction"]) == len(disputes["whose"]) == 2
    assert page.unchanged is not None
    assert page.unchanged.text.endswith("2020-07, 2025-03, 2025-11 and 2026-02.")


def test_what_changed_is_told(renderer: Renderer) -> None:
    """25 tells that its rows cited RFC 5321 until the snapshot of 2020-07, and what they cite since."""
    document = Document(renderer.port(answer_of(25)))
    assert "smtp/tcp,udp changed Reference: [RFC5321] → [RFC-ietf-emailcore-rfc5321bis-43]" in document.text("history")


def test_a_transport_alone_is_told_apart(renderer: Renderer) -> None:
    """5436 is reserved on tcp and assigned on udp: two sentences, and two columns of facts."""
    page = page_of(answer_of(5436), renderer.catalogue, Words())
    first, second = [statement.text for statement in page.verdict[:2]]
    assert first.startswith("5436/tcp is reserved")
    assert second.startswith("5436/udp is registered as pmip6-cntl, citing RFC5844.")


def test_a_row_of_a_range_is_found(renderer: Renderer) -> None:
    """10276 shows IANA's row of the range that has it."""
    text = text_of(renderer.port(answer_of(10276)))
    assert "IANA's row says 10262-10287 Unassigned" in text
    assert "Port Number10262-10287" in text.replace("Port Number 10262", "Port Number10262")


def test_pages_are_light_enough(renderer: Renderer) -> None:
    """A page of a port is hardly ever longer than 15 kB, and loads a style and a script from the same site, no more."""
    lengths = [len(renderer.port(answer_of(port)).encode()) for port in some_ports()]
    assert sum(length > 15_000 for length in lengths) <= len(lengths) // 100
    markup = renderer.port(answer_of(2528))
    loaded = [unescape(part.split('"')[0]) for part in markup.split('src="')[1:]]
    assert all(address.startswith("/static/") for address in loaded)
    assert "<style" not in markup
    assert " style=" not in markup
    assert " on" not in {piece[:3] for piece in markup.split('"') if "=" in piece[:12]}
