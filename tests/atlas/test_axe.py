"""What axe-core, which knows the rules of WCAG 2.2 A and AA and more, finds in each kind of page, in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from portulan.atlas.words import ENGLISH, languages
from tests.atlas import served
from tests.atlas.running import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from playwright.sync_api import Browser, Page

    Theme = Literal["light", "dark"]

pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python, which carries axe-core")

PORTS = {
    "the first": "/0",
    "a system port": "/22",
    "assigned, with claims that conflict": "/2528",
    "with many uses": "/8080",
    "with two services": "/80",
    "of a row that spans a range": "/10276",
    "unassigned, with known uses": "/25565",
    "reserved": "/1023",
    "assigned on udp alone": "/5436",
    "dynamic": "/60648",
    "dynamic, with a known use": "/51820",
    "the last": "/65535",
}

PAGES = {
    **PORTS,
    "the front page": "/",
    "a service": "/service/ssh",
    "a service without a number": "/service/adobe-shadow",
    "a product": "/product/PostgreSQL",
    "an organisation": "/organisation/Microsoft_Corporation",
    "a search that finds": "/search?q=mail",
    "a search for a number": "/search?q=2528",
    "a search that finds nothing": "/search?q=zzzzzz",
    "a search for nothing": "/search",
    "how it is known": "/about",
    "no such page": "/nothing",
    "the chart": "/chart",
    "1,024 ports": "/chart/0-1023",
    "256 ports": "/chart/2304-2559",
    "64 ports": "/chart/0-63",
}

LOOKS = [
    ("light", 1280),
    pytest.param("dark", 320, marks=pytest.mark.slow),
    pytest.param("dark", 1280, marks=pytest.mark.slow),
    pytest.param("light", 320, marks=pytest.mark.slow),
]

TONGUES = [pytest.param(each, marks=[] if each == ENGLISH else pytest.mark.slow, id=each) for each in languages()]

RUN = """async () => {
  const rules = {"target-size": {enabled: true}};
  const found = await axe.run(document, {resultTypes: ["violations", "incomplete"], rules});
  const say = (node) => `${node.html} ${node.failureSummary}`;
  const told = (rules) => rules.map((rule) => [rule.id, rule.nodes.map(say)]);
  return {violations: told(found.violations), open: told(found.incomplete), passed: found.passes.length};
}"""
"""The best practices are among the rules that run by default; the size of targets (WCAG 2.2, 2.5.8) is not."""

HOLD_AND_DIAL = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    with socket.create_connection(server.getsockname()):
        print("dialled", flush=True)
        sys.stdin.read()
"""


class Machine(NamedTuple):
    """A local atlas, what lets a browser in, and a port with a listener, one who dials it, and a claim."""

    base: str
    cookies: list[Any]
    port: int


@pytest.fixture(scope="module")
def machine(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Serve the local atlas of a machine on which a port is held, dialled and claimed."""
    folder = tmp_path_factory.mktemp("data")
    port = free_port()
    claim = ["-m", "portulan", "claim", "shop/web", "--port", str(port), "--purpose", "what it is <for>"]
    subprocess.run([sys.executable, *claim], env={**os.environ, "XDG_DATA_HOME": str(folder)}, check=True)
    hold = [sys.executable, "-c", HOLD_AND_DIAL, str(port)]
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "dialled\n"
        with served.local(folder) as (base, entrance):
            context = browser.new_context()
            context.new_page().goto(entrance)
            yield Machine(base, context.cookies(), port)
        holder.communicate()


def look(browser: Browser, theme: Theme, width: int) -> Page:
    """Open a page in one look; its policy does not hold for axe, and holds in the tests of security."""
    context = browser.new_context(bypass_csp=True, color_scheme=theme, viewport={"width": width, "height": 900})
    context.set_default_timeout(60_000)
    return context.new_page()


def complaints(page: Page) -> list[Any]:
    """Return what axe finds wrong, and what it cannot decide.

    It cannot tell the contrast of what stands upon a drawing; the chart's is measured in test_ink.py.
    """
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    found = page.evaluate(RUN)
    assert found["passed"] > 20
    return [*found["violations"], *[rule for rule in found["open"] if rule[0] != "color-contrast"]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("language", TONGUES)
def test_the_public_atlas(browser: Browser, atlas: str, language: str, theme: Theme, width: int) -> None:
    """Nothing is wrong in any kind of page, in light and dark, wide and as narrow as a telephone, in each language."""
    page = look(browser, theme, width)
    prefix = "" if language == ENGLISH else f"/{language}"
    found = {}
    for kind, path in PAGES.items():
        answer = page.goto(f"{atlas}{prefix}{path}")
        assert answer is not None
        assert answer.status == (404 if path == "/nothing" else 200), kind
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        found[kind] = complaints(page)
    page.context.close()
    assert {kind: said for kind, said in found.items() if said} == {}


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_the_local_atlas(browser: Browser, machine: Machine, theme: Theme, width: int) -> None:
    """Nor in what it says of this machine: what holds ports, who holds, dials and has claimed one."""
    page = look(browser, theme, width)
    page.context.add_cookies(machine.cookies)
    found = {}
    for kind, path in {"machine": "/", "held": f"/{machine.port}", "free": "/2528", "chart": "/chart"}.items():
        page.goto(machine.base + path)
        if kind == "held":
            assert page.locator("#live .socket").count() >= 2
            assert "shop/web" in page.locator("#live").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        found[kind] = complaints(page)
    page.context.close()
    assert {kind: said for kind, said in found.items() if said} == {}
