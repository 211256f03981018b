"""The pictures of the atlas in the documents: `python -m tests.atlas.screenshots`, as root.

They are of a machine that is made for it: private namespaces in which real programs run, and somebody has moved sshd,
runs a mail server on 2528, and dials it. Needs these programs (nginx, exim4, sshd, redis-server), Chromium, pngquant.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.atlas import served
from tests.atlas.browser import chromium
from tests.story import DIAL, EXIM, NOBODY, greets, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from playwright.sync_api import Page

    Picture = tuple[str, str, Literal["light", "dark"], int]

PICTURES = Path(__file__).parents[2] / "docs" / "atlas"

APART = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")

NEEDED = ("unshare", "mount", "ip", "ssh-keygen", "nginx", "redis-server", "exim4", "bash", "pngquant")

SHOP = Path("/srv/shop")

SSHD = "Port 2222\nListenAddress 0.0.0.0\nHostKey {folder}/key\nPidFile none\n"
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{ }}
http {{ access_log off; server {{ listen 80; }} }}
"""

PUBLIC: list[Picture] = [
    ("front", "/", "light", 1000),
    ("2528", "/2528", "light", 1500),
    ("unassigned", "/10276", "dark", 1060),
    ("service", "/service/ssh", "light", 1100),
    ("chart", "/chart/0-1023", "dark", 1200),
]
"""Name, address, theme and height."""

LOCAL: list[Picture] = [("machine", "/", "light", 900), ("here", "/2528", "dark", 1360)]

WIDTH = 1120


@contextlib.contextmanager
def machine(folder: Path) -> Iterator[None]:
    """Run the programs; what they write is below the folder, and gone with it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for mounted in ("/run", "/srv"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", mounted], check=True)
    for place in (Path("/run/sshd"), folder, folder / "mail", SHOP):
        place.mkdir(parents=True)
    (folder / "mail").chmod(0o777)  # exim writes as a user of its own
    os.chown(SHOP, NOBODY, NOBODY)
    mailer = shutil.copy("/bin/bash", SHOP / "mailer")
    for name, text in {"exim": EXIM, "sshd": SSHD, "nginx": NGINX}.items():
        (folder / f"{name}.conf").write_text(text.format(folder=folder))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    exim = ("exim4", "-C", str(folder / "exim.conf"), "-bdf", "-oX")
    programs = [
        ("/usr/sbin/sshd", "-D", "-f", str(folder / "sshd.conf")),
        ("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")),
        ("redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
        ("/usr/bin/python3", "-m", "http.server", "8000", "--directory", str(SHOP)),
        (*exim, "127.0.0.1.25"),
        (*exim, "127.0.0.1.2528"),
    ]
    with contextlib.ExitStack() as stack:
        for words in programs:
            stack.enter_context(started(*words))
        for port in (2222, 80, 6379, 8000):
            until(f"{port} is held", lambda port=port: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        for port in (25, 2528):
            until(f"{port} greets", lambda port=port: greets(port))
        stack.enter_context(started(str(mailer), "-c", DIAL, user=NOBODY, group=NOBODY))
        yield


def take(page: Page, base: str, pictures: list[Picture]) -> None:
    """Take pictures of pages, in 128 colours."""
    for name, path, theme, height in pictures:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.goto(base + path)
        quantize = ["pngquant", "--speed", "1", "--nofs", "128", "-"]
        picture = subprocess.run(quantize, input=page.screenshot(), capture_output=True, check=True).stdout
        (PICTURES / f"{name}.png").write_bytes(picture)


def main() -> int:
    """Take all of them, in namespaces of their own."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if os.geteuid() or missing:
        sys.exit(f"needs root and {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}")
    if os.getpid() != 1:
        return subprocess.run([*APART, sys.executable, "-m", "tests.atlas.screenshots"], check=False).returncode
    PICTURES.mkdir(exist_ok=True)
    folder = Path("/srv/data")
    with machine(folder), chromium() as browser:
        with served.public() as base:
            take(browser.new_page(), base, PUBLIC)
        with served.local(folder) as (base, entrance):
            page = browser.new_page()
            page.goto(entrance)
            take(page, base, LOCAL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
