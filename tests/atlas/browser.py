"""A real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = Path("/usr/bin/chromium")

QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
)

VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", event => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
"""Notes what the page's policy refuses."""


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run Chromium for the length of a block; skip where it is missing."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium, which is not in {CHROMIUM} (Debian: apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *arguments])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def profile(browser: Browser, *, script: bool = True) -> Iterator[BrowserContext]:
    """Give a browser that knows no cookie, and notes what a policy refuses."""
    context = browser.new_context(java_script_enabled=script)
    context.set_default_timeout(60_000)
    context.add_init_script(VIOLATIONS)
    try:
        yield context
    finally:
        context.close()
