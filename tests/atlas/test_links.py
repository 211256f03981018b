"""Every link of the pages leads to a page of the atlas, under the one address that it has."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from portulan.atlas.drawings import Drawings
from portulan.atlas.public import Public
from portulan.atlas.render import Renderer
from portulan.atlas.words import Words, languages
from tests.atlas.asking import ask
from tests.atlas.test_every_page import EMPTY, TELLING

if TYPE_CHECKING:
    from portulan.atlas.catalogue import Catalogue
    from portulan.atlas.terrain import Terrain
    from portulan.registry.index import Index

BEGIN = (
    "/",
    "/chart",
    "/chart/0-1023",
    "/chart/1024-1279",
    "/chart/1024-1087",
    "/about",
    "/search",
    "/search?q=mail",
    "/search?q=3CX",
    "/search?q=x11",
    "/service/cl/1",
    "/service/airplay",
    "/product/3CX Phone System",
    "/organisation/Apple_Inc",
    *[f"/{port}" for port in (*TELLING, *EMPTY)],
)


@pytest.fixture(scope="module")
def public(catalogue: Catalogue, index: Index, terrain: Terrain) -> Public:
    """Return the public atlas as it is served, in every language."""
    renderers = {
        words.language: Renderer(
            words.language,
            catalogue=catalogue,
            drawings=Drawings(index, terrain=terrain, words=words, prefix=words.prefix),
            site="http://localhost",
        )
        for words in map(Words, languages())
    }
    assets = renderers["en"].assets.values()
    files = {asset.address.removeprefix("/static/"): (asset.content, asset.media_type) for asset in assets}
    return Public(renderers, "localhost", files=files, picture=lambda *_: b"PNG")


def addresses_in(markup: str) -> set[str]:
    """Return the addresses on this site that a page names: links, files, its own, that of its picture."""
    named = re.findall(r'(?:href|src|action|content|data-names)="((?:http://localhost)?/[^"#]*)', markup)
    return {unescape(address).removeprefix("http://localhost") for address in named}


def test_every_link_leads_somewhere(public: Public) -> None:
    """Each address that a page of any kind names is answered with 200: no dead end, and no detour over a redirect."""
    named = {
        address: page for page in BEGIN for address in addresses_in(ask(public, quote(page, safe="/?=")).body.decode())
    }
    assert {"/chart/1024-2047", "/og/2528.png", "/2528.json", "/service/ssh", "/organisation/Apple_Inc"} <= named.keys()
    wrong = {
        (page, address): status for address, page in named.items() if (status := ask(public, address).status) != 200
    }
    assert not wrong
