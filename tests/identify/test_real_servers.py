"""The question put to real servers of Debian, each on a free port of loopback, started and ended by the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from portulan.identify import identify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Identification, Transport

ROOT = Path(__file__).parents[2]
NOBODY = 65_534
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# Debian's mail servers exclude each other; this one's files may lie apart, where .ci/run unpacks them.
POSTFIX = next(
    (top for top in (Path("/"), ROOT / ".parts/postfix") if (top / "usr/lib/postfix/sbin/smtpd").exists()), None
)


class Server(NamedTuple):
    """How to start a server: what it writes beforehand, and its command; `{port}` and `{dir}` stand for it."""

    command: str
    files: dict[str, str] = {}  # noqa: RUF012  # a named tuple's default
    before: str = ""
    transport: Transport = "tcp"
    as_nobody: bool = False


SERVERS = {
    "ssh": Server(
        "{sshd} -D -e -f {dir}/sshd.conf",
        {
            "sshd.conf": "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/key\nPidFile {dir}/pid\nUsePAM no\n",
        },
        before="{ssh-keygen} -q -t ed25519 -N '' -f {dir}/key",
    ),
    "http": Server(
        "{nginx} -c {dir}/nginx.conf -p {dir} -e {dir}/error.log",
        {
            "nginx.conf": "daemon off;\nmaster_process off;\npid {dir}/pid;\nevents {{}}\nhttp {{\n access_log off;\n"
            " client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;\n"
            " uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n"
            " server {{ listen 127.0.0.1:{port}; root {dir}; }}\n}}\n",
        },
    ),
    "postgresql": Server(
        "{postgres} -D {dir}/data -h 127.0.0.1 -p {port} -k {dir}",
        before="{initdb} -D {dir}/data -A trust -N >{dir}/initdb.log",
        as_nobody=True,
    ),
    "redis": Server("{redis-server} --bind 127.0.0.1 --port {port} --dir {dir} --save ''"),
    "dns": Server(
        "{dnsmasq} -k -p {port} -a 127.0.0.1 -z -R -h -8 - -C /dev/null -u nobody --pid-file={dir}/pid",
        transport="udp",
    ),
    "mqtt": Server(
        "{mosquitto} -c {dir}/m.conf", {"m.conf": "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"}
    ),
    "sip": Server(
        "{kamailio} -DD -E -m 16 -M 4 -Y {dir} -P {dir}/pid -f {dir}/k.cfg",
        {
            "k.cfg": "#!KAMAILIO\ndebug=1\nlog_stderror=yes\nchildren=1\ntcp_children=1\nlisten=udp:127.0.0.1:{port}\n"
            'listen=tcp:127.0.0.1:{port}\nloadmodule "sl.so"\nrequest_route {{ sl_send_reply("200","OK"); }}\n',
        },
        transport="udp",
    ),
}
PRODUCTS = {
    "ssh": "OpenSSH",
    "http": "nginx",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "dns": "dnsmasq",
    "mqtt": None,  # it does not say
    "sip": "kamailio",
}


def program(name: str) -> str:
    """Return the path of a program; skip the test where it is missing."""
    places = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))), *PATH.split(":")]
    found = next(
        (str(place) for place in (Path(folder) / name for folder in places) if os.access(place, os.X_OK)), None
    )
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


class _Programs(dict[str, object]):
    """What the braces of a command stand for: what is given, and else programs."""

    def __missing__(self, name: str) -> str:
        return program(name)


def free_port(transport: Transport) -> int:
    """Return a port that nobody holds in either transport."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return int((tcp if transport == "tcp" else udp).getsockname()[1])


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that a server under another user's name may use."""
    made = Path(tempfile.mkdtemp(prefix="portulan-"))
    made.chmod(0o777)  # for the time of a test
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[int]:
    """Run a server until its port is taken, and end it by its pid."""
    server = SERVERS[name]
    port = free_port(server.transport)
    words = _Programs(port=port, dir=folder)
    command = server.command.format_map(words)
    user = NOBODY if server.as_nobody and os.geteuid() == 0 else None
    for file, text in server.files.items():
        (folder / file).write_text(text.format_map(words), "utf-8")
    if server.before:
        subprocess.run(server.before.format_map(words), shell=True, check=True, user=user, cwd=folder)  # noqa: S602  # our own words
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=user,
            cwd=folder,
            start_new_session=True,
        )
    try:
        wait_until_held(port, server.transport, process, folder / "log")
        yield port
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)


def wait_until_held(port: int, transport: Transport, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until nobody else can have a port any more."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    for _ in range(300):
        assert process.poll() is None, log.read_text("utf-8", "replace")
        with socket.socket(socket.AF_INET, kind) as trial:
            try:
                if transport == "tcp":
                    trial.connect(("127.0.0.1", port))
                    return
                trial.bind(("127.0.0.1", port))
            except ConnectionError:
                pass
            except OSError:
                return
        time.sleep(0.05)
    pytest.fail(f"nobody holds {port}: {log.read_text('utf-8', 'replace')}")


def asked(port: int, transport: Transport = "tcp") -> Identification:
    """Ask blind."""
    return next(identify("127.0.0.1", [port], transport=transport, blind=True))


@pytest.mark.parametrize("name", SERVERS)
def test_a_real_server_is_named(name: str, folder: Path) -> None:
    """A server of Debian is named for what it speaks, with its product, and lives on."""
    with running(name, folder) as port:
        found = asked(port, SERVERS[name].transport)
        again = asked(port, SERVERS[name].transport)
    assert (found.protocol, found.product) == (name, PRODUCTS[name]), found
    assert (again.protocol, again.product, again.version) == (found.protocol, found.product, found.version)
    assert found.cost is not None
    assert found.cost.connections <= 8 or found.transport == "udp"  # what may be asked


@pytest.mark.parametrize("name", ["dns", "sip"])
def test_both_transports_are_named(name: str, folder: Path) -> None:
    """DNS and SIP are what they are by TCP as well, where it takes other questions to hear it."""
    with running(name, folder) as port:
        assert asked(port, "tcp").protocol == name


def test_postfix_is_named(folder: Path) -> None:
    """Postfix' smtpd, which a connection each starts as its own master would, is named with its product."""
    if POSTFIX is None:
        pytest.skip("there is no Postfix")
    # It will not run as root, and who it runs as may not be let into this folder.
    shutil.copytree(POSTFIX / "usr/lib/postfix", folder / "postfix")
    library = folder / "postfix"
    (folder / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {folder}\ndata_directory = {folder}\n"
        f"daemon_directory = {library}/sbin\ncommand_directory = {library}\nshlib_directory = no\n"
        f"meta_directory = {folder}\nmail_owner = news\nsetgid_group = uucp\nmyhostname = mx.example.invalid\n"
        "inet_interfaces = 127.0.0.1\nmaillog_file = /dev/stdout\n",
        "utf-8",
    )
    (folder / "master.cf").touch()
    environment = {"LD_LIBRARY_PATH": str(library), "MAIL_CONFIG": str(folder), "PATH": PATH}
    smtpd = [str(library / "sbin/smtpd"), "-S"]
    with inetd(smtpd, environment) as port:
        found = asked(port)
    assert (found.protocol, found.product) == ("smtp", "Postfix"), found


@contextlib.contextmanager
def inetd(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    """Start a program for each connection, as inetd does, but with pipes: to a socket it would want its master."""
    listener = socket.create_server(("127.0.0.1", 0))
    started: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                process = subprocess.Popen(
                    command,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    user=NOBODY if os.geteuid() == 0 else None,
                )
                started.append(process)
                threading.Thread(target=carry_in, args=(connection, process), daemon=True).start()
                threading.Thread(target=carry_out, args=(connection, process), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for process in started:
            process.kill()
            process.wait(5)


def carry_in(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Give a program what comes on a connection."""
    assert process.stdin is not None
    with contextlib.suppress(OSError), process.stdin:
        while data := connection.recv(4096):
            process.stdin.write(data)


def carry_out(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Say on a connection what a program says, and end it with that."""
    assert process.stdout is not None
    with contextlib.suppress(OSError), connection, process.stdout:
        while data := os.read(process.stdout.fileno(), 4096):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)
