"""Reading a source: files and https addresses only, and never more than a registry can be."""

from __future__ import annotations

import http.server
import os
import shutil
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from portulan.errors import RegistryError
from portulan.registry import fetch
from portulan.registry.build import IANA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Endless:
    """A stream that never ends, in one line."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int, /) -> bytes:
        """Return as many letters as asked for."""
        self.given += size
        return b"x" * size


def test_an_endless_line_is_cut_off() -> None:
    """A line of a gigabyte is refused at the cap, and was never in memory as a whole."""
    stream = Endless()
    with pytest.raises(RegistryError, match="more than 64 MiB"):
        fetch.read_capped(stream, "stream")
    assert stream.given <= fetch.MAX_BYTES + (2 << 20)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero")  # noqa: PTH110  # at import
def test_a_device_without_end_is_cut_off() -> None:
    """What looks like a file may have no end."""
    with pytest.raises(RegistryError, match="more than 64 MiB"):
        fetch.read_source("/dev/zero")


def test_a_slow_stream_is_given_up() -> None:
    """After the deadline nothing more is read."""
    with pytest.raises(RegistryError, match="too slowly"):
        fetch.read_capped(Endless(), "stream", deadline=0.0)


def test_a_file_is_read(tmp_path: Path) -> None:
    """The path of a file gives its bytes, and no date."""
    (tmp_path / "a").write_bytes(b"abc")
    assert fetch.read_source(str(tmp_path / "a")) == (b"abc", None)


@pytest.mark.parametrize("path", ["/no/such/file", "", ".", "a\x00b", "\ud800"])
def test_a_path_that_cannot_be_read_is_said(path: str) -> None:
    """Missing files, folders and impossible names are a RegistryError with a hint."""
    with pytest.raises(RegistryError) as caught:
        fetch.read_source(path)
    assert caught.value.hint


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_an_unreadable_file_is_said(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A refused permission is a RegistryError with its reason."""
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "a").chmod(0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(RegistryError, match="Permission denied"):
        fetch.read_source(str(tmp_path / "a"))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/", "HTTP://example.net/", "ftp://example.net/a", "file:///etc/passwd", "data://x"]
)
def test_only_https_is_read(address: str) -> None:
    """An address of another kind is refused before anything is opened."""
    with pytest.raises(RegistryError, match="only https") as caught:
        fetch.read_source(address)
    assert "https" in (caught.value.hint or "")


@pytest.mark.parametrize("address", ["https://127.0.0.1:1/", "https://[::1", "https://", "https://\x00/", "https:// /"])
def test_an_address_that_does_not_answer_is_said(address: str) -> None:
    """A refused connection or a broken address is a RegistryError with a hint."""
    with pytest.raises(RegistryError) as caught:
        fetch.read_source(address)
    assert "path of the file" in (caught.value.hint or "")


# ------------------------------------------------------------------------------------------------------- a real server


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives the registry, sends elsewhere, or fails."""

    def do_GET(self) -> None:
        """Answer by path."""
        if self.path == "/registry.csv":
            data = (IANA / "2026-02.csv").read_bytes()
            self.send_response(200)
            self.send_header("Last-Modified", "Fri, 20 Feb 2026 10:00:00 GMT")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        elif self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/registry.csv")
            self.end_headers()
        elif self.path == "/here":
            self.send_response(302)
            self.send_header("Location", f"https://localhost:{self.connection.getsockname()[1]}/registry.csv")
            self.end_headers()
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"abc")
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an https server on a free port of localhost; its certificate is trusted for these tests."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command = [*words.split(), "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server, pytest.MonkeyPatch.context() as patch:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        patch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_address_gives_bytes_and_date(address: str) -> None:
    """The server's date is that of the snapshot; a redirection to https is followed."""
    for path in ("registry.csv", "here"):
        data, modified = fetch.read_source(f"{address}/{path}")
        assert data == (IANA / "2026-02.csv").read_bytes()
        assert modified == "2026-02-20"


@pytest.mark.parametrize(
    ("path", "why"),
    [("elsewhere", "not an https address"), ("none", "Not Found"), ("short", "broke off after 3 bytes")],
)
def test_a_bad_answer_is_said(address: str, path: str, why: str) -> None:
    """A redirection away from https, an error and an answer that breaks off are refused."""
    with pytest.raises(RegistryError, match=why):
        fetch.read_source(f"{address}/{path}")


def test_a_certificate_that_nobody_vouches_for_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS is checked."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    with pytest.raises(RegistryError, match="certificate"):
        fetch.read_source(f"{address}/registry.csv")
