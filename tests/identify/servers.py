"""Small real servers on free ports of loopback, each of which serves as long as a test needs it."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Serve = Callable[[socket.socket], None]


class Server:
    """A listener that gives each connection to a function, in a thread of its own unless it is `serial`."""

    def __init__(self, serve: Serve, *, serial: bool = False, family: int = socket.AF_INET) -> None:
        self._serve = serve
        self._serial = serial
        self._listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.heard: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                if self._serial:
                    self._one(connection)
                else:
                    threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._serve(connection)

    def close(self) -> None:
        """End it and all its connections."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def serving(serve: Serve, *, serial: bool = False, family: int = socket.AF_INET) -> Iterator[Server]:
    """Serve for a while."""
    server = Server(serve, serial=serial, family=family)
    try:
        yield server
    finally:
        server.close()


def silent(connection: socket.socket) -> None:
    """Take everything and say nothing."""
    while connection.recv(4096):
        pass


def echo(connection: socket.socket) -> None:
    """Give back everything (RFC 862)."""
    while data := connection.recv(4096):
        connection.sendall(data)


def reset(connection: socket.socket) -> None:
    """Reset the connection at the first byte."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def flood(connection: socket.socket) -> None:
    """Send without an end, whether or not anybody asks."""
    while True:
        connection.sendall(b"portulan" * 512)


def read_frame(connection: socket.socket) -> None:
    """Take four bytes as a length and wait for so many, which after a text probe is for ever; answer a short frame."""
    length = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
    body = connection.recv(length, socket.MSG_WAITALL)
    connection.sendall(length.to_bytes(4, "big") + body[::-1])


def saying(banner: bytes, *, answer: bytes = b"") -> Serve:
    """Return what greets, and then answers everything the same way."""

    def serve(connection: socket.socket) -> None:
        if banner:
            connection.sendall(banner)
        while connection.recv(4096):
            if answer:
                connection.sendall(answer)

    return serve


def http(connection: socket.socket) -> None:
    """Answer a request for anything, and anything else with 400."""
    head = connection.recv(4096)
    status = b"200 OK" if head.startswith(b"GET / HTTP/1.1\r\n") else b"400 Bad Request"
    connection.sendall(b"HTTP/1.1 %s\r\nServer: Trial/1.5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)


def secured(serve: Serve, context: ssl.SSLContext) -> Serve:
    """Return the same inside TLS."""

    def secure(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inside:
            serve(inside)

    return secure


def server_context(folder: Path, *, wants_certificate: bool = False, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Make a certificate for trial.invalid, and the settings of a server that has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trial.invalid")])
    begins = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, begins, begins + dt.timedelta(days=9_000))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("trial.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(path)
    return context
