"""What a real browser is refused: rebound names, pages on other ports, hostile names of processes."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.atlas.browser import chromium, profile
from tests.atlas.running import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request

SECRET = "This machine"  # noqa: S105  # a heading
"""The heading of the local atlas's first page: nobody else may see it."""

HOLDER = """
import pathlib, socket, sys
pathlib.Path("/proc/self/comm").write_bytes(bytes.fromhex(sys.argv[1]))
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


class Atlas(NamedTuple):
    """A local atlas that runs, and the address that it has printed."""

    base: str
    port: int
    address: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium, for which a foreign name leads to this machine, as after rebinding."""
    with chromium("--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.localhost 127.0.0.1") as started:
        yield started


@pytest.fixture
def atlas(tmp_path: Path) -> Iterator[Atlas]:
    """Run `portulan atlas serve`."""
    port = free_port()
    command = [sys.executable, "-m", "portulan", "atlas", "serve", "--port", str(port)]
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data"), "PORTULAN_HISTORY": str(tmp_path / "none")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, process.communicate()[1]
            yield Atlas(f"http://127.0.0.1:{port}", port, address)
        finally:
            process.terminate()
            _, said = process.communicate(timeout=30)
    assert "Traceback" not in said


@pytest.fixture
def context(browser: Browser, atlas: Atlas) -> Iterator[BrowserContext]:
    """Give a browser that was let in."""
    with profile(browser) as opened:
        page = opened.new_page()
        page.goto(atlas.address)
        assert page.url == f"{atlas.base}/"
        assert SECRET in page.content()
        page.close()
        yield opened


@pytest.fixture
def foreign() -> Iterator[Callable[[str], str]]:
    """Serve a page on another port of this host; call it with the page for its address."""
    pages: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library calls it so
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1].encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def serve(page: str) -> str:
            pages.append(page)
            return f"http://127.0.0.1:{server.server_address[1]}/"

        yield serve
        server.shutdown()
        thread.join()


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Hold ports in processes of any name, and from a folder of any name."""
    started: list[subprocess.Popen[str]] = []

    def holder(name: str, folder: str | None = None) -> int:
        program, env = sys.executable, dict(os.environ)
        if folder is not None:
            (tmp_path / folder).mkdir()
            program = str(shutil.copy(os.path.realpath(sys.executable), tmp_path / folder / "python3"))
            libraries = sysconfig.get_config_var("LIBDIR") or ""
            env |= {"PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": libraries}
        process = subprocess.Popen(
            [program, "-c", HOLDER, name.encode().hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        started.append(process)
        assert process.stdout is not None
        return int(process.stdout.readline())

    yield holder
    for process in started:
        process.communicate()


def outcomes(page: Page, atlas: Atlas) -> list[tuple[str, int | None]]:
    """Note what comes of a page's requests to the atlas: a status, or None where the browser hides even that."""
    noted: list[tuple[str, int | None]] = []

    def note(request: Request, status: int | None) -> None:
        if request.url.startswith(atlas.base):
            noted.append((f"{request.method} {request.url.removeprefix(atlas.base)} {request.resource_type}", status))

    page.on("response", lambda answer: note(answer.request, answer.status))
    page.on("requestfailed", lambda request: note(request, None))
    return noted


def test_the_address_lets_one_browser_in(browser: Browser, atlas: Atlas) -> None:
    """The token goes from the address bar, scripts cannot read the cookie, and a second browser stays outside."""
    with profile(browser) as first, profile(browser) as second:
        page = first.new_page()
        page.goto(atlas.address)
        assert page.url == f"{atlas.base}/"
        assert page.evaluate("document.cookie") == ""
        assert page.reload().status == 200  # type: ignore[union-attr]  # there is an answer
        late = second.new_page()
        for address in (atlas.address, f"{atlas.base}/", f"{atlas.base}/2528"):
            answer = late.goto(address)
            assert answer is not None
            assert answer.status == 403
            assert SECRET not in late.content()


@pytest.mark.parametrize("name", ["evil.example", "rebound.localhost"])
def test_a_rebound_name_reads_nothing(context: BrowserContext, atlas: Atlas, name: str) -> None:
    """A page whose name was rebound to this machine is of its origin for the browser, and gets 421 all the same."""
    evil = f"http://{name}:{atlas.port}"
    page = context.new_page()
    answer = page.goto(f"{evil}/")
    assert answer is not None
    assert answer.status == 421
    assert SECRET not in page.content()
    # The refusal is itself a page of that origin, and what runs there may fetch from its own.
    found = page.evaluate(
        "Promise.all(['/', '/2528.json', '/live'].map(async path => {"
        "  const answer = await fetch(path, {credentials: 'include'});"
        "  return [answer.status, await answer.text()]; }))"
    )
    assert [status for status, _ in found] == [421, 421, 421]
    assert not any(SECRET in text or "observations" in text for _, text in found)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_on_another_port_gets_nothing(
    context: BrowserContext, atlas: Atlas, foreign: Callable[[str], str], host: str
) -> None:
    """Forms, fetches, pictures, scripts, styles and frames of another loopback port are refused, cookie or not."""
    page = context.new_page()
    noted = outcomes(page, atlas)
    page.goto(
        foreign(
            f"""<p>foreign</p>
            <img src="{atlas.base}/og/1.png"><img src="{atlas.base}/?img"><script src="{atlas.base}/2528.json"></script>
            <link rel="stylesheet" href="{atlas.base}/"><iframe name="inside" src="{atlas.base}/"></iframe>
            <object data="{atlas.base}/2528"></object>
            <form method="post" action="{atlas.base}/"><input name="a" value="b"><button>post</button></form>"""
        ).replace("127.0.0.1", host)
    )
    page.wait_for_load_state("networkidle")
    read = page.evaluate(
        """async base => {
            const tried = [];
            for (const mode of ["cors", "no-cors"]) for (const path of ["/", "/2528.json", "/live"])
                try {
                    const answer = await fetch(base + path, {mode, credentials: "include"});
                    tried.push(await answer.text());
                } catch (error) { tried.push(""); }
            try { await fetch(base + "/", {method: "POST", mode: "no-cors", credentials: "include", body: "a=b"}); }
            catch (error) { /* refused */ }
            return tried;
        }""",
        atlas.base,
    )
    assert read == [""] * 6
    assert not any(SECRET in frame.content() for frame in page.frames)
    page.get_by_role("button", name="post").click()
    page.wait_for_url(f"{atlas.base}/")
    assert SECRET not in page.content()
    assert {what.split()[2] for what, _ in noted} >= {"document", "fetch", "image", "script", "stylesheet"}, noted
    assert {status for _, status in noted} == {403, None}, noted


def test_a_link_on_another_port_leads_nowhere(
    context: BrowserContext, atlas: Atlas, foreign: Callable[[str], str]
) -> None:
    """A foreign page cannot open pages of the atlas either, in its window or a new one that it keeps a hand on."""
    page = context.new_page()
    page.goto(foreign(f"<a href='{atlas.base}/2528'>here</a>"))
    page.get_by_role("link", name="here").click()
    page.wait_for_url(f"{atlas.base}/2528")
    assert "403" in page.content()
    page.goto(foreign(f"<button onclick=\"window.open('{atlas.base}/')\">open</button>"))
    with context.expect_page() as opened:
        page.get_by_role("button", name="open").click()
    opened.value.wait_for_load_state()
    assert SECRET not in opened.value.content()


def test_a_hostile_name_is_text(context: BrowserContext, atlas: Atlas, hold: Callable[..., int]) -> None:
    """Names of processes and paths of programs with markup, script and turned letters are shown as they are, inert."""
    folder = "<img src=x onerror=window.pwned=1><script>window.pwned=1<"
    ports = [hold("<script>pwned()", folder), hold("<b>\u202etxt.exe"), hold('"><svg/onload=')]
    page = context.new_page()
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    for path in ("/", *[f"/{port}" for port in ports], *[f"/ko/{port}" for port in ports]):
        answer = page.goto(atlas.base + path)
        assert answer is not None
        if answer.status == 404 and path.startswith("/ko"):
            continue
        assert answer.status == 200
        assert page.evaluate("violations") == []
        assert page.evaluate("typeof window.pwned") == "undefined"
        assert page.locator("main script, main img, main b b, main [onerror], main [onload]").count() == 0
        assert "\u202e" not in page.content()
    page.goto(f"{atlas.base}/")
    text = page.locator("main").inner_text()
    assert "<script>pwned()" in text
    assert "<b>\\u202etxt.exe" in text
    assert '"><svg/onload=' in text
    page.goto(f"{atlas.base}/{ports[0]}")
    assert folder in page.locator("main").inner_text()
    assert dialogs == []


def test_what_is_hostile_in_an_address_is_text(context: BrowserContext, atlas: Atlas) -> None:
    """Words to search for, and addresses that lead nowhere, come back as text."""
    page = context.new_page()
    for path in (
        "/search?q=<img src=x onerror=window.pwned=1>",
        "/<img src=x onerror=window.pwned=1>",
        "/product/<b>x",
    ):
        page.goto(atlas.base + path)
        assert page.evaluate("typeof window.pwned") == "undefined"
        assert page.evaluate("violations") == []
        assert page.locator("main img, main b b").count() == 0


def test_no_page_breaks_its_own_policy(context: BrowserContext, atlas: Atlas) -> None:
    """Nothing inline, nothing of others: each kind of page is shown whole under its policy, without an error."""
    page = context.new_page()
    errors: list[str] = []
    page.on(
        "console", lambda said: errors.append(f"{said.location['url']} {said.text}") if said.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    for path in ("/", "/2528", "/60000", "/service/ssh", "/product/PostgreSQL", "/search?q=mail", "/about", "/chart"):
        answer = page.goto(atlas.base + path)
        assert answer is not None
        assert answer.status == 200, path
        assert page.evaluate("violations") == [], path
    assert errors == []
    assert {url.startswith(atlas.base) for url in requested} == {True}


def test_changes_appear_by_themselves(context: BrowserContext, atlas: Atlas, hold: Callable[..., int]) -> None:
    """A port that is taken while the page is open appears in it, in the list and on its own page; the focus stays."""
    page = context.new_page()
    page.goto(f"{atlas.base}/")
    page.wait_for_load_state()
    page.locator(f"main a[href='/{atlas.port}']").first.focus()
    port = hold("newcomer")
    page.locator(f"main a[href='/{port}']").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"/{atlas.port}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = server.getsockname()[1]
    page.goto(f"{atlas.base}/{other}")
    assert page.locator("#live .socket").count() == 0
    with socket.create_server(("127.0.0.1", other)):
        page.locator("#live .socket").first.wait_for()
    page.locator("#live .socket").first.wait_for(state="detached")


def test_without_script_a_reload_shows_the_same(browser: Browser, atlas: Atlas, hold: Callable[..., int]) -> None:
    """Nothing needs script: the pages are there, and a reload shows what is new."""
    with profile(browser, script=False) as plain:
        page = plain.new_page()
        page.goto(atlas.address)
        assert page.url == f"{atlas.base}/"
        port = hold("newcomer")
        page.reload()
        assert page.locator(f"main a[href='/{port}']").count() == 1
