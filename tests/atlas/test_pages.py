"""The other pages: services, products, organisations, search, what is missing, and this machine."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

import html5lib
import pytest

from portulan.atlas.organisations import organisation_of
from portulan.atlas.plain import plain
from portulan.atlas.render import Renderer
from portulan.errors import NotFound
from portulan.model import Claim, Endpoint, Evidence, Incomplete, Observation, Process, Value, Verdict, replace
from tests.atlas.reading import Document, text_of
from tests.atlas.test_every_page import answer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.atlas.catalogue import Catalogue
    from portulan.atlas.layers import Layer

NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e\udcff&\"'\x00"


def test_a_service_has_its_ports_and_rows(renderer: Renderer) -> None:
    """The page of ssh links 22 on each of its transports, and shows IANA's rows."""
    document = Document(renderer.service("ssh"))
    assert "/22" in document.links
    assert "22/tcp 22/udp 22/sctp" in document.text("main")
    assert "[RFC4251]" in document.text("row-1")
    assert "/product/OpenSSH%20server" in document.links


def test_an_alias_leads_to_its_service(renderer: Renderer) -> None:
    """A name with an underscore that IANA replaced has the page of the service that it is one of."""
    assert "<h1>ncr-ccl</h1>" in renderer.service("NCR_CCL")


def test_every_service_and_product_that_a_page_links_has_a_page(renderer: Renderer) -> None:
    """No link of a page of a port to a service, product or organisation leads nowhere."""
    renders = {"service": renderer.service, "product": renderer.product, "organisation": renderer.organisation}
    kinds = tuple([f"/{kind}/" for kind in renders])
    ports = [22, 80, 443, 2528, 5432, 8080, 10261, *range(0, 49_152, 601)]
    links = [link for port in ports for link in Document(renderer.port(answer_of(port))).links]
    found = {link for link in links if link.startswith(kinds)}
    assert {link.split("/")[1] for link in found} == set(renders)
    for link in found:
        _, kind, name = link.split("/")
        Document(renders[kind](unquote(name)))


def test_a_product_cites_a_source_for_each_use(renderer: Renderer, catalogue: Catalogue) -> None:
    """The page of a product has every use of it with the address of its source."""
    document = Document(renderer.product("3CX Phone System"))
    for use in catalogue.products["3CX Phone System"]:
        assert use.citation.url in document.links
        assert f"/{use.ports.first}" in document.links


@pytest.mark.parametrize(
    ("tag", "organisation"),
    [
        ("Amitava_Dutta", None),
        ("Tom_Lane", None),
        ("Jon_Postel", None),
        ("gunner", None),
        ("SYSTEMS_MANAGER", None),
        ("Cisco_Systems_2", "Cisco_Systems"),
        ("Nuance_Communications_Inc4", "Nuance_Communications_Inc"),
        ("Safenet_Inc.", "Safenet_Inc"),
        ("IESG", "IESG"),
        ("University_of_California_Berkeley", "University_of_California_Berkeley"),
    ],
)
def test_who_is_an_organisation(tag: str, organisation: str | None) -> None:
    """A legal form or a body's word makes an organisation; whatever else may be a person's name does not."""
    assert organisation_of(tag) == organisation


def test_there_is_no_page_of_a_person(renderer: Renderer, catalogue: Catalogue) -> None:
    """Assignees that may be persons have no page and no link, and no page of an organisation names a contact."""
    with pytest.raises(NotFound):
        renderer.organisation("Amitava_Dutta")
    assert not any("/organisation/" in link for link in Document(renderer.port(answer_of(2528))).links)
    contacts = {row.contact for rows in catalogue.organisations.values() for row in rows if row.contact != row.assignee}
    text = text_of(renderer.organisation("Apple_Inc"))
    assert not any(contact and contact.strip("[]") in text for contact in contacts)


@pytest.mark.parametrize(
    ("query", "link"),
    [("2528", "/2528"), ("mail", "/service/smtp"), ("3CX", "/product/3CX%20Phone%20System"), ("ncr_ccl", "/2528")],
)
def test_search_finds_without_a_script(renderer: Renderer, query: str, link: str) -> None:
    """A number leads to its page, words to services and products."""
    assert link in Document(renderer.search(query)).links


def test_what_was_asked_is_echoed_harmlessly(renderer: Renderer) -> None:
    """Words to search for come back as text, in the heading and in the field, whatever is in them."""
    for markup in (renderer.search(HOSTILE), renderer.not_found(HOSTILE)):
        html5lib.HTMLParser(strict=True).parse(markup)
        assert "<script>alert" not in markup
        markup.encode()


def test_the_names_to_search_are_all_there(catalogue: Catalogue) -> None:
    """Each service with a number, each alias and each product is in the file that is searched as one types."""
    names = json.loads(catalogue.names)
    services = dict(line.split("\t") for line in names["services"])
    assert services["ssh"] == "22"
    assert services["ncr_ccl"] == services["ncr-ccl"] == "2528"
    assert {line.split("\t")[0] for line in names["products"]} == set(catalogue.products)
    assert {row.service_name for row in catalogue.rows if row.service_name and row.ports} <= set(services)


def test_assets_have_their_digest_in_their_address(renderer: Renderer) -> None:
    """What pages load has an address that changes with its content, and its media type."""
    for name, asset in renderer.assets.items():
        stem, _, suffix = name.rpartition(".")
        assert re.fullmatch(rf"/static/{stem}\.[0-9a-f]{{12}}\.{suffix}", asset.address)
        assert asset.content
    assert renderer.assets["atlas.css"].address in renderer.front()


def test_what_is_hostile_is_made_plain() -> None:
    """Control characters, halves of pairs, non-characters and marks that turn the writing are shown by their number."""
    assert plain("a\x00\x1b\u202e\udcff\ufffe\U0001ffffb\n\t") == "a\\u0000\\u001b\\u202e\\udcff\\ufffe\\u1ffffb\n\t"


def test_this_machine_is_told_with_all_its_hostile_names(renderer: Renderer) -> None:
    """The page of a port on this machine tells sockets, verdicts and claims; names of processes stay text."""
    process = Process(812, HOSTILE, f"/opt/{HOSTILE}", None, HOSTILE, NOW)
    seen = Observation(
        observed_at=NOW,
        host=HOSTILE,
        perspective="live",
        direction="connect",
        transport="tcp",
        local=Endpoint("127.0.0.1", 43210),
        peer=Endpoint("127.0.0.1", 2528),
        socket_state="established",
        processes=(process,),
        processes_missing=None,
        unit=None,
        container=None,
        package=None,
        network_namespace=None,
    )
    because = (Evidence("process", f"{HOSTILE} is no program of 3CX", "/proc/812/exe", "decides"),)
    verdict = Verdict(seen, "unexplained", "ncr-ccl", "investigate", "PT104", because, HOSTILE, ())
    answer = replace(
        answer_of(2528),
        observations=(seen,),
        verdicts=(verdict,),
        incomplete=(Incomplete("owners of 3 sockets", "not permitted", "run as root"),),
    )
    claim = Claim(2528, "tcp", "user", HOSTILE, HOSTILE, NOW, None, None)
    markup = renderer.port(answer, local=True, claims=[claim])
    html5lib.HTMLParser(strict=True).parse(markup)
    assert "<script>alert" not in markup
    text = Document(markup).text("main")
    assert "investigate dials 2528/tcp · unexplained" in text
    assert "ncr-ccl" in text
    assert "owners of 3 sockets: not permitted; run as root" in text
    assert "Here, now" not in renderer.port(answer)


class Drawn:
    """Draws nothing but says of what."""

    def world(self, layers: Sequence[Layer] = (), layer: str = "") -> str:
        """Draw all ports."""
        marked = "".join([f"<desc>{each.says} {len(each.ports)} {layer}</desc>" for each in layers])
        return f"<svg><title>world</title>{marked}</svg>"

    def square(self, first: int, size: int, layers: Sequence[Layer] = (), layer: str = "") -> str:
        """Draw some."""
        return f"<svg><title>{first} {size}</title><desc>{len(layers)} {layer}</desc></svg>"

    def cutout(self, port: int) -> str:
        """Draw around one."""
        return f"<svg><title>around {port}</title></svg>"

    def strip(self, port: int) -> str:
        """Draw one among all."""
        return f"<svg><title>among all {port}</title></svg>"

    def blocks(self) -> tuple[Block, ...]:
        """Return one block."""
        return (Block(1024, 2047, 51, 501, 450, 0, 22),)


class Block(Value):
    """A block in figures."""

    first: int
    last: int
    cited: int
    dated: int
    name_only: int
    reserved: int
    unassigned: int


def test_drawings_stand_where_they_belong(catalogue: Catalogue) -> None:
    """The chart has its page, its squares and its figures, and each port its cut-out and its place among all."""
    renderer = Renderer(catalogue=catalogue, drawings=Drawn())
    pages = renderer.front(), renderer.chart(), renderer.chart(1024, 1024), renderer.port(answer_of(2528))
    for markup in pages:
        html5lib.HTMLParser(strict=True).parse(markup)
    front, world, square, port = [Document(markup) for markup in pages]
    assert "<title>world</title>" in front.markup
    assert "1024-2047</a></th><td>51</td><td>501</td><td>450</td><td>0</td><td>22</td>" in world.markup
    assert "/chart/1024-2047" in world.links
    assert "<title>1024 1024</title>" in square.markup
    assert "<title>around 2528</title>" in port.markup
    assert "<title>among all 2528</title>" in port.markup
