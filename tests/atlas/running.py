"""An atlas that runs: `python -m tests.atlas.running public|local PORT [NAME=SECONDS ...]`.

It renders plainly; what is asked of it goes over real sockets. Numbers of `portulan.atlas.serving` may be set, so that
tests need not wait as long as users may.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from portulan.atlas import serving
from portulan.atlas.live import Live
from portulan.atlas.local import Keys, Local
from portulan.atlas.public import Public
from portulan.coordinate.hold import bind
from portulan.watched import watch
from tests.atlas.plainly import Plainly

if TYPE_CHECKING:
    from collections.abc import Iterator


class Running(NamedTuple):
    """A server in a process of its own, and the address that it printed."""

    port: int
    address: str
    process: subprocess.Popen[str]

    def connect(self) -> socket.socket:
        """Connect to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def say(self, *pieces: bytes) -> bytes:
        """Send bytes, and return everything that comes back until it hangs up."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read_all(connection)

    def cookie(self) -> str:
        """Use the token, and return the cookie."""
        target = urlsplit(self.address)
        said = self.say(f"GET /?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n\r\n".encode())
        line = next(line for line in said.decode().split("\r\n") if line.lower().startswith("set-cookie"))
        return line.partition(": ")[2].partition(";")[0]


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side hangs up, in whatever way."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


def free_port() -> int:
    """Return a port that is free on both families just now."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def running(kind: str, *settings: str) -> Iterator[Running]:
    """Run a server for the length of a block, and end it as a user would."""
    port = free_port()
    command = [sys.executable, "-m", "tests.atlas.running", kind, str(port), *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Running(port, process.stdout.readline().strip(), process)
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _print(address: str) -> None:
    print(address, flush=True)  # noqa: T201  # what the test reads


def main(kind: str, port: int, settings: list[str]) -> int:
    """Serve until it is ended."""
    for setting in settings:
        name, _, value = setting.partition("=")
        setattr(serving, name, float(value) if "." in value else int(value))
    renderers = {"en": Plainly(), "ko": Plainly("ko")}
    sockets = bind(port)
    if kind == "public":
        public = Public(renderers, "atlas.example.org", files={})
        _print(f"http://127.0.0.1:{port}/")
        return serving.serve(public, sockets)
    live = Live(lambda wake: watch(wake=wake, every_s=0.1))
    local = Local(renderers, Keys(port, _print), files={}, live=live)
    return serving.serve(local, sockets, live.close)


if __name__ == "__main__":
    os.environ.setdefault("PORTULAN_HISTORY", os.devnull + "/none")
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
