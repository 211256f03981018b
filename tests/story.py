"""The story of 2528, played with real programs in a private network namespace; run by test_story.py.

A real SMTP server answers on 127.0.0.1:2528, and five processes dial it: one with the name of a program of 3CX in a
folder of root's, the same in a folder that others can write, nginx as a proxy, a program of the user nobody, and an
interpreter. Prints one JSON document: what `portulan 2528` said as text and as JSON, and the exit codes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 2528
WAIT_S = 20
DIAL = f"exec 3<>/dev/tcp/127.0.0.1/{PORT}; read -r -t {3 * WAIT_S} -u 3 greeting; read -r -t {3 * WAIT_S} -u 3 line"
NOBODY = 65534

EXIM = """
keep_environment =
primary_hostname = mail.test
spool_directory = {folder}/mail/spool
log_file_path = {folder}/mail/%slog
pid_file_path = {folder}/mail/exim.pid
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = accept
smtp_receive_timeout = 120s
smtp_accept_max = 20
smtp_enforce_sync = false
smtp_max_unknown_commands = 100
smtp_max_synprot_errors = 100
begin acl
begin routers
begin transports
begin retry
"""

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:8180; location / {{ proxy_pass http://127.0.0.1:{port}; proxy_read_timeout 120s; }} }} }}
"""


@contextlib.contextmanager
def started(*words: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the block lasts."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, **{**quiet, **options})  # type: ignore[call-overload]  # options are Popen's
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(what: str, is_so: object) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + WAIT_S
    while not is_so():  # type: ignore[operator]  # a callable
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def greets(port: int) -> bool:
    """Tell whether an SMTP server greets on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            return connection.recv(64).startswith(b"220")
    except OSError:
        return False


def dialled_by(pid: int) -> bool:
    """Tell whether a process has an established connection to the port, by ss."""
    shown = subprocess.run(["ss", "-Htnp", f"dport = :{PORT}"], capture_output=True, text=True, check=True).stdout
    return f"pid={pid}," in shown


def portulan(*words: str) -> dict[str, object]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "portulan", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def play() -> dict[str, object]:
    """Play the story and return what was said."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portulan-story-")))
        folder.chmod(0o755)
        of_root = Path(tempfile.mkdtemp(prefix="portulan-story-", dir="/opt"))
        stack.callback(shutil.rmtree, of_root)
        of_root.chmod(0o755)
        writable = folder / "drop"
        writable.mkdir()
        os.chown(writable, NOBODY, NOBODY)
        for place in (of_root, writable):
            shutil.copy("/bin/bash", place / "3CXGatewayService")

        (folder / "mail").mkdir()
        (folder / "mail").chmod(0o777)  # exim writes as a user of its own, whose name differs between systems
        (folder / "exim.conf").write_text(EXIM.format(folder=folder))
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=PORT))
        smtp = ("exim4", "-C", str(folder / "exim.conf"), "-bdf", "-oX", f"127.0.0.1.{PORT}")
        stack.enter_context(started(*smtp))
        until("the SMTP server greets", lambda: greets(PORT))
        nginx = stack.enter_context(started("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")))
        until("nginx listens", lambda: socket.socket().connect_ex(("127.0.0.1", 8180)) == 0)
        client = stack.enter_context(socket.create_connection(("127.0.0.1", 8180), 5))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        dial_in_python = f"import socket, time; s = socket.create_connection(('127.0.0.1', {PORT})); time.sleep(120)"
        dialling = {
            "of_root": stack.enter_context(started(str(of_root / "3CXGatewayService"), "-c", DIAL)),
            "writable": stack.enter_context(started(str(writable / "3CXGatewayService"), "-c", DIAL)),
            "nginx": nginx,
            "nobody": stack.enter_context(started("/bin/bash", "-c", DIAL, user=NOBODY, group=NOBODY)),
            "python": stack.enter_context(started(sys.executable, "-c", dial_in_python)),
        }
        for who, process in dialling.items():
            until(f"{who} dials", lambda pid=process.pid: dialled_by(pid))
        return {
            "pids": {who: process.pid for who, process in dialling.items()},
            "text": portulan(str(PORT)),
            "json": portulan(str(PORT), "--json"),
            "list": portulan("list", "--format", "jsonl"),
        }


if __name__ == "__main__":
    json.dump(play(), sys.stdout)
