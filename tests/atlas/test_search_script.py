"""Search as one types, in a real browser: what keys do, and where they lead."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portulan.atlas.render import Renderer

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

TYPED = ("s", "ssh", "ncr_ccl", "2528", "3cx", "65536", "zzzz", "<b>", "post")
TARGET = "/service/postgresql"

DRIVER = """
const box = document.querySelector("input[type=search]");
const list = document.querySelector("#found");
const log = {found: {}, slowest: 0};
const type = (text) => {
  box.value = text;
  const began = performance.now();
  box.dispatchEvent(new InputEvent("input", {bubbles: true}));
  log.slowest = Math.max(log.slowest, performance.now() - began);
};
const press = (key) => box.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const shown = () => list.hidden ? [] : [...list.children].map((item) => [item.textContent, item.dataset.address]);
(async () => {
  box.focus();
  type("ssh");
  while (!shown().length) await new Promise((go) => setTimeout(go, 20));
  for (const text of TYPED) {
    type(text);
    log.found[text] = shown();
  }
  type("post");
  press("ArrowDown");
  press("ArrowDown");
  press("ArrowUp");
  log.active = document.getElementById(box.getAttribute("aria-activedescendant")).textContent;
  log.expanded = box.getAttribute("aria-expanded");
  press("Escape");
  log.closed = [list.hidden, box.getAttribute("aria-expanded")];
  type("postgresql");
  press("ArrowDown");
  await fetch("/log", {method: "POST", body: JSON.stringify(log)});
  press("Enter");
})();
"""


class Site(ThreadingHTTPServer):
    """Serves one page with its files and a driver for it, and keeps what that tells and where it goes."""

    daemon_threads = True

    def __init__(self, renderer: Renderer) -> None:
        """Take the pages."""
        super().__init__(("127.0.0.1", 0), Handler)
        page = renderer.front().replace("</body>", '<script src="/driver.js" defer></script></body>')
        self.files = {"/": (page.encode(), "text/html; charset=utf-8")}
        self.files["/driver.js"] = f"const TYPED = {json.dumps(TYPED)};{DRIVER}".encode(), "text/javascript"
        self.files |= {asset.address: (asset.content, asset.media_type) for asset in renderer.assets.values()}
        self.log: dict[str, Any] = {}
        self.arrived = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers for the site."""

    server: Site

    def do_GET(self) -> None:
        """Answer with a file, under the rules that the atlas gives its pages."""
        if self.path == TARGET:
            self.server.arrived.set()
        content, media_type = self.server.files.get(self.path, (b"", "text/plain"))
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """Keep the log."""
        self.server.log = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(renderer: Renderer) -> Iterator[Site]:
    """Serve a page."""
    with Site(renderer) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_names_are_found_as_one_types(site: Site, tmp_path: Path) -> None:
    """Exact names come first, a number leads to its port, keys choose, and Enter goes there."""
    chromium = CHROMIUM or pytest.skip("needs Chromium")
    words = [chromium, *OPTIONS, f"--user-data-dir={tmp_path}", f"http://127.0.0.1:{site.server_port}/"]
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as browser:
        try:
            assert site.arrived.wait(60), site.log
        finally:
            os.killpg(browser.pid, signal.SIGTERM)
    found = {text: [address for _, address in items] for text, items in site.log["found"].items()}
    assert found["ssh"][0] == "/service/ssh"
    assert found["ncr_ccl"] == ["/service/ncr_ccl"]
    assert found["2528"][0] == "/2528"
    assert found["3cx"][0].startswith("/product/3CX%20")
    assert found["65536"] == found["zzzz"] == found["<b>"] == []
    assert len(found["s"]) == len(found["post"]) == 8
    assert site.log["found"]["ncr_ccl"] == [["ncr_ccl 2528", "/service/ncr_ccl"]]
    assert site.log["active"] == site.log["found"]["post"][0][0]
    assert site.log["expanded"] == "true"
    assert site.log["closed"] == [True, "false"]
