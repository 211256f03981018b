"""The chart's script in a real browser: what keys and pointer do, and what is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from portulan.atlas.drawings import Drawings
from tests.cli.door import portulan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portulan.atlas.terrain import Terrain
    from portulan.registry.index import Index

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=900,900"),
)

END = "/5432"

PAGE = """<!doctype html><html lang="en"><head><title>chart</title><link rel="stylesheet" href="/chart.css"></head>
<body><input type="search" aria-label="search">{svg}<script src="/chart.js"></script><script src="/driver.js"></script>
</body></html>"""

DRIVER = """
const frame = document.querySelector("[role=application]");
const said = () => document.querySelector("[role=status]").textContent;
const log = {cells: {}};
const press = (key, target = frame) =>
  target.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const settled = async (has) => { while (!said().includes(has)) await new Promise((go) => setTimeout(go, 20)); };
(async () => {
  for (const port of [0, 1, 2, 1023, 2528, 25565, 49152, 65535]) log.cells[port] = cellOf(port);
  log.inverse = Array.from({length: PORTS}, (_, port) => portAt(...cellOf(port)) === port).every(Boolean);
  log.focusable = frame.tabIndex === 0 && frame.getAttribute("aria-label").length > 40;
  const seen = [];
  for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "PageDown", "End", "PageDown", "End",
                     "Home", "PageUp", "Home"]) {
    press(key);
    seen.push(said());
  }
  log.seen = seen;
  const svg = frame.querySelector("svg");
  const [x, y] = cellOf(2528);
  const at = new DOMPoint(20 + 2 * x + 1, 20 + 2 * y + 1).matrixTransform(svg.getScreenCTM());
  svg.dispatchEvent(new PointerEvent("pointermove", {clientX: at.x, clientY: at.y, bubbles: true}));
  await settled("ncr-ccl");
  log.hover = said();
  press("/");
  log.searching = document.activeElement.type;
  frame.focus();
  log.styles = [...document.querySelectorAll("[style], svg style")].length;
  await fetch("/log", {method: "POST", body: JSON.stringify(log)});
  for (const digit of "5432") press(digit);
  press("Enter");
})();
"""


class Site(ThreadingHTTPServer):
    """Serves the chart as a page, with what it asks for, and keeps what the driver tells and where it goes."""

    daemon_threads = True

    def __init__(self, svg: str) -> None:
        """Take the chart."""
        super().__init__(("127.0.0.1", 0), Answering)
        static = files("portulan.atlas") / "static"
        self.files = {
            "/": PAGE.format(svg=svg).encode(),
            "/driver.js": DRIVER.encode(),
            "/chart.js": (static / "chart.js").read_bytes(),
            "/chart.css": (static / "chart.css").read_bytes(),
        }
        self.log: dict[str, object] = {}
        self.visited: list[str] = []
        self.arrived = threading.Event()


class Answering(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Site

    def do_GET(self) -> None:
        """Send a file, what Portulan says of a port, or the page of one."""
        self.server.visited.append(self.path)
        body = self.server.files.get(self.path, b"<!doctype html><title>port</title>")
        kind = {"js": "text/javascript", "css": "text/css", "json": "application/json"}
        if self.path.endswith(".json"):
            body = portulan("lookup", self.path[1:-5], "--json").stdout.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind.get(self.path.rpartition(".")[2], "text/html"))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(body)
        if self.path == END:
            self.server.arrived.set()

    def do_POST(self) -> None:
        """Keep the log."""
        self.server.log = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the inherited name
        """Say nothing."""


@pytest.fixture(scope="module")
def site(index: Index, terrain: Terrain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Let a browser walk over the chart, once."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with Site(Drawings(index, terrain=terrain).world()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            visit(CHROMIUM, server, tmp_path_factory.mktemp("browser"))
        finally:
            server.shutdown()
            thread.join()
        yield server


def visit(browser: str, site: Site, profile: Path) -> None:
    """Open the page and let the driver go its way, which ends on the page of a port."""
    words = [browser, *OPTIONS, f"--user-data-dir={profile}", f"http://127.0.0.1:{site.server_port}/"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True) as running:
        try:
            assert site.arrived.wait(100), "the driver came to no end"
        finally:
            os.killpg(running.pid, signal.SIGKILL)


def test_the_script_has_the_same_curve(site: Site) -> None:
    """The script and the pages agree on where a port lies, for all 65,536 and back."""
    from portulan.atlas.curve import cell_of  # noqa: PLC0415  # the other tests do without

    cells = site.log["cells"]
    assert isinstance(cells, dict)
    assert {int(port): tuple(cell) for port, cell in cells.items()} == {int(port): cell_of(int(port)) for port in cells}
    assert site.log["inverse"] is True


def test_keys_go_everywhere(site: Site) -> None:
    """Arrows go from cell to cell and stay on the chart, pages by 256, Home and End to the ends of the range."""
    assert site.log["focusable"] is True
    assert site.log["seen"] == ["3", "2", "1", "0", "0", "256", "1023", "1279", "49151", "1024", "768", "0"]


def test_what_is_under_the_pointer_is_said(site: Site) -> None:
    """The live region says the number, each transport with IANA's name, and the grade, as the page of the port does."""
    assert site.log["hover"] == "2528: tcp, udp ncr-ccl, a name only"
    assert "/2528.json" in site.visited


def test_a_slash_searches_and_a_number_goes(site: Site) -> None:
    """`/` goes to the search, digits and Enter to the page of the number."""
    assert site.log["searching"] == "search"
    assert END in site.visited


def test_a_strict_policy_is_kept(site: Site) -> None:
    """The chart and its script need no style of their own in the page, and work under `default-src 'self'`."""
    assert site.log["styles"] == 0
