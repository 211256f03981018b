"""Socket activation: from unit files to the service behind a socket that systemd holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.model import Endpoint, Observation, Process, replace
from portulan.observe import activation
from portulan.observe.activation import Activated, Activation, Listen, interpret, parse_address, parse_unit

NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
SYSTEMD = Process(1, "systemd", "/usr/lib/systemd/systemd", None, "root", NOW, "present")
ROOT = Path(__file__).parents[2]
IN_NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def held(port: int, *owners: Process, address: str = "::", **facts: object) -> Observation:
    """Return a listener that systemd holds, or others."""
    made = Observation(
        observed_at=NOW,
        host="here",
        perspective="live",
        direction="listen",
        transport="tcp",
        local=Endpoint(address, port),
        peer=None,
        socket_state="listen",
        processes=owners or (SYSTEMD,),
        processes_missing=None,
        unit="init.scope",
        container=None,
        package=None,
        network_namespace=None,
        ipv6_only=False if address == "::" else None,
        cgroup="/init.scope",
    )
    return replace(made, **facts)


def write(root: Path, path: str, *lines: str) -> None:
    """Write the section [Socket] of a unit below a root."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["[Unit]", "ListenStream=1", "[Socket]", *lines, ""]))


def behind(root: Path, observation: Observation) -> Activated | None:
    """Look behind a socket, with the units of a root."""
    return Activation(root=str(root), home_of=lambda _uid: "/home/eve", uid_of=lambda _user: 1000).behind(observation)


def service(root: Path, observation: Observation) -> str | None:
    """Return the service behind a socket."""
    found = behind(root, observation)
    return None if found is None else found.service


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("22", (None, 22)),
        ("127.0.0.1:22", ("127.0.0.1", 22)),
        ("[::1]:22", ("::1", 22)),
        ("[fe80::1]:22%eth0", ("fe80::1", 22)),
        ("[::ffff:127.0.0.1]:22", ("127.0.0.1", 22)),
        ("[0:0:0:0:0:0:0:1]:22", ("::1", 22)),
        ("/run/web.sock", None),
        ("@abstract", None),
        ("vsock:2:22", None),
        ("::1:22", None),
        ("0", None),
        ("65536", None),
        ("٢٢", None),
        ("9" * 5_000, None),
        ("", None),
    ],
)
def test_addresses(text: str, place: tuple[str | None, int] | None) -> None:
    """A line names a port, or an address with a port; every other kind of socket has none."""
    assert parse_address(text) == place


def test_syntax() -> None:
    """Comments, continued lines and other sections are read as systemd reads them."""
    content = (
        b"# [Socket]\nListenStream=1\n[Socket]\n ; no\nListenStream = \\\n# in between\n  80\nnonsense\n[Install]\nX=1"
    )
    assert list(parse_unit(content)) == [("ListenStream", "80")]


def test_several_lines_and_a_reset() -> None:
    """Every line adds an address, and an empty assignment of any kind forgets those before it."""
    listens = interpret(
        "a.socket", [("ListenStream", "1"), ("ListenFIFO", ""), ("ListenStream", "80"), ("ListenDatagram", "53")]
    ).listens
    assert listens == (Listen("tcp", None, 80, None), Listen("udp", None, 53, None))


@pytest.mark.parametrize(
    ("settings", "started"),
    [
        ([], "web.service"),
        ([("Service", "other.service")], "other.service"),
        ([("Service", "%N-main.service")], "web-main.service"),
        ([("Service", "../x.service")], None),
        ([("Service", "%H.service")], None),
        ([("Accept", "no"), ("Service", "other.service")], "other.service"),
        ([("Accept", "yes")], "web@.service"),
        ([("Accept", "True")], "web@.service"),
    ],
)
def test_the_service(settings: list[tuple[str, str]], started: str | None) -> None:
    """One service is started for all, or with Accept= one for each connection; what cannot be expanded is not named."""
    assert interpret("web.socket", settings).service == started


def test_templates_and_specifiers(tmp_path: Path) -> None:
    """An instance that somebody enabled is read from its template, its name put in."""
    write(tmp_path, "usr/lib/systemd/system/web@.socket", "ListenStream=127.0.0.1:%i", "Accept=no")
    (tmp_path / "etc/systemd/system/sockets.target.wants").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/sockets.target.wants/web@8080.socket").symlink_to(
        "/usr/lib/systemd/system/web@.socket"
    )
    seen = held(8080, address="127.0.0.1")
    assert behind(tmp_path, seen) == Activated("web@8080.socket", "web@8080.service")
    assert behind(tmp_path, held(8081, address="127.0.0.1")) is None


def test_the_load_path(tmp_path: Path) -> None:
    """The administrator's file hides the package's, a mask hides both, and drop-in files are added in order."""
    write(tmp_path, "usr/lib/systemd/system/ssh.socket", "ListenStream=22", "Accept=yes")
    assert service(tmp_path, held(22)) == "ssh@.service"
    write(tmp_path, "etc/systemd/system/ssh.socket.d/10-port.conf", "ListenStream=", "ListenStream=2222")
    write(tmp_path, "usr/lib/systemd/system/ssh.socket.d/10-port.conf", "ListenStream=3333")
    write(tmp_path, "usr/lib/systemd/system/socket.d/20-all.conf", "Accept=no")
    assert service(tmp_path, held(22)) is None
    assert service(tmp_path, held(3333)) is None
    assert service(tmp_path, held(2222)) == "ssh.service"
    write(tmp_path, "etc/systemd/system/ssh.socket", "ListenStream=23")
    assert service(tmp_path, held(2222)) == "ssh.service"
    (tmp_path / "run/systemd").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/ssh.socket").unlink()
    (tmp_path / "etc/systemd/system/ssh.socket").symlink_to("/dev/null")
    assert service(tmp_path, held(2222)) is None


def test_where_a_unit_listens(tmp_path: Path) -> None:
    """A socket is a unit's only if transport, address, port, IPv6 alone and interface agree."""
    write(tmp_path, "etc/systemd/system/any.socket", "ListenStream=80", "FreeBind=yes")
    write(tmp_path, "etc/systemd/system/six.socket", "ListenStream=[::]:81", "BindIPv6Only=ipv6-only")
    write(tmp_path, "etc/systemd/system/four.socket", "ListenStream=0.0.0.0:81", "ListenDatagram=53")
    write(tmp_path, "etc/systemd/system/loop.socket", "ListenStream=127.0.0.1:82", "BindToDevice=lo")
    assert service(tmp_path, held(80)) == service(tmp_path, held(80, address="0.0.0.0")) == "any.service"
    assert service(tmp_path, held(80, address="127.0.0.1")) is None
    assert service(tmp_path, held(80, transport="udp")) is None
    assert service(tmp_path, held(81, ipv6_only=True)) == "six.service"
    assert service(tmp_path, held(81)) is None
    assert service(tmp_path, held(81, address="0.0.0.0")) == "four.service"
    assert service(tmp_path, held(53, transport="udp")) == "four.service"
    assert service(tmp_path, held(82, address="127.0.0.1", interface="lo")) == "loop.service"
    assert service(tmp_path, held(82, address="127.0.0.1", interface="eth0")) is None


def test_two_units_on_one_port(tmp_path: Path) -> None:
    """Of two units that listen at one place the enabled one is meant; if that does not tell, none is named."""
    write(tmp_path, "usr/lib/systemd/system/a.socket", "ListenStream=80")
    write(tmp_path, "usr/lib/systemd/system/b.socket", "ListenStream=80")
    (tmp_path / "usr/lib/systemd/system/alias.socket").symlink_to("a.socket")
    assert behind(tmp_path, held(80)) is None
    wants = tmp_path / "etc/systemd/system/sockets.target.wants"
    wants.mkdir(parents=True)
    (wants / "b.socket").symlink_to("/usr/lib/systemd/system/b.socket")
    assert behind(tmp_path, held(80)) == Activated("b.socket", "b.service")


def test_the_control_group_names_the_unit(tmp_path: Path) -> None:
    """A unit that the control group names needs no match, and is known to those who may not see its process."""
    write(tmp_path, "etc/systemd/system/web.socket", "ListenStream=/run/web.sock", "Service=shop.service")
    seen = held(
        80, unit="web.socket", cgroup="/system.slice/web.socket", processes=(), processes_missing="not permitted"
    )
    assert behind(tmp_path, seen) == Activated("web.socket", "shop.service")
    assert behind(tmp_path, replace(seen, unit="absent.socket")) is None


def test_a_users_manager(tmp_path: Path) -> None:
    """A socket of a user's manager is of that user's units, and never of the system's."""
    write(tmp_path, "etc/systemd/system/web.socket", "ListenStream=8080", "Service=system.service")
    write(tmp_path, "home/eve/.config/systemd/user/web.socket", "ListenStream=8080", "Service=eves.service")
    manager = replace(SYSTEMD, pid=812, user="eve")
    group = "/user.slice/user-1000.slice/user@1000.service/init.scope"
    assert service(tmp_path, held(8080, manager, cgroup=group)) == "eves.service"
    assert service(tmp_path, held(8080)) == "system.service"


def test_who_is_no_manager(tmp_path: Path) -> None:
    """A process that only calls itself systemd holds a socket for nobody, and a container's systemd has other files."""
    write(tmp_path, "etc/systemd/system/web.socket", "ListenStream=80")
    liar = replace(SYSTEMD, pid=812, executable="/home/eve/systemd", user="eve")
    assert behind(tmp_path, held(80, liar)) is None
    assert behind(tmp_path, held(80, container="web")) is None
    hidden = replace(SYSTEMD, executable=None)
    assert service(tmp_path, held(80, hidden)) == "web.service"
    assert behind(tmp_path, held(80, replace(hidden, pid=812))) is None


@given(st.text(), st.text())
def test_any_text(name: str, text: str) -> None:
    """Any text in a unit file, and any name, gives addresses and a service, or nothing."""
    content = b"[Socket]\n" + text.encode("utf-8", "replace")
    unit = interpret(f"{name}.socket", [*parse_unit(content), ("ListenStream", text), ("Service", text)])
    assert all(0 < listen.port < 65_536 for listen in unit.listens)
    assert unit.service is None or unit.service.endswith(".service")


def test_hostile_units(tmp_path: Path) -> None:
    """Loops, pipes, binary and huge files in a user's folder name nothing and hold up nobody."""
    folder = tmp_path / "home/eve/.config/systemd/user"
    folder.mkdir(parents=True)
    (folder / "loop.socket").symlink_to("loop.socket")
    os.mkfifo(folder / "pipe.socket")
    (folder / "binary.socket").write_bytes(b"[Socket]\nListenStream=\xff\0\x1b[31m\n")
    (folder / "huge.socket").write_bytes(b"[Socket]\nListenStream=8080\n" + b"#" * 100_000)
    (folder / "many.socket").write_text("[Socket]\n" + "ListenStream=8081\n" * 3_000)
    (folder / "a.socket.d").symlink_to("a.socket.d")
    manager = replace(SYSTEMD, pid=812, user="eve")
    assert behind(tmp_path, held(8080, manager)) is None
    assert service(tmp_path, held(8081, manager)) == "many.service"


HOLDER = """
import json, os, shutil, socket, subprocess, sys
from pathlib import Path

manager = Path("/usr/lib/systemd/systemd")
if not manager.exists():
    sys.exit(print("skip: there is no file of systemd's to stand in for"))
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
subprocess.run(["mount", "--bind", shutil.which("cat"), manager], check=True)
for database in filter(os.path.isdir, ("/var/lib/dpkg", "/var/lib/rpm")):  # which would tell that it is not systemd's
    subprocess.run(["mount", "-t", "tmpfs", "none", database], check=True)
os.environ["PORTULAN_CACHE"] = ""
units = Path("/run/systemd/system")
units.mkdir(parents=True)
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
(units / "portulan-test.socket").write_text(f"[Socket]\\nListenStream=127.0.0.1:{port}\\nService=shop.service\\n")
reading, writing = os.pipe()
standard_input, kept_open = os.pipe()
if not os.fork():
    os.close(writing)
    server.close()
    os.read(reading, 1)  # ends when the other becomes systemd
    from portulan.cli import main
    from portulan.document import plain
    from portulan.observe import survey
    seen = next(iter(survey(port)))
    print(json.dumps(plain(seen)))
    sys.stdout.flush()
    main([str(port)])
    sys.stdout.flush()
    os._exit(0)  # and so ends the other, which waits for its input
server.set_inheritable(True)
os.close(reading)
os.dup2(standard_input, 0)
os.execv(manager, ["systemd"])
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces")
@pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("ip"), reason="needs the programs unshare and ip")
def test_a_socket_held_by_process_1() -> None:
    """A socket that process 1 holds, running systemd's file, is shown with the service of the unit that listens there.

    The file is systemd's in a mount namespace where cat lies over it. A real manager that is started for a test does
    far more than hold a socket: it mounts, makes control groups and empties folders for temporary files.
    """
    done = subprocess.run(
        [*IN_NAMESPACES, sys.executable, "-c", HOLDER],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.stdout.startswith("skip: "):
        pytest.skip(done.stdout.strip().removeprefix("skip: "))
    first, _, page = done.stdout.partition("\n")
    seen: dict[str, Any] = json.loads(first)
    assert [process["pid"] for process in seen["processes"]] == [1]
    assert seen["processes"][0]["executable"] in activation.SYSTEMD
    assert seen["activates"] == "shop.service"
    assert "systemd starts shop.service for it" in page
    assert "holds it for shop.service" in " ".join(page.split())
