"""`portulan scan`: this machine is read, others are asked, what is lost is asked again, what was cut off goes on."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.door import COMMAND, environment, on_terminal, portulan
from tests.identify.servers import http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVE = """
import socket, sys, time
held = []
for word in sys.argv[1:]:
    address, _, port = word.rpartition(":")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    held.append(socket.create_server((address, int(port)), family=family, backlog=64))
print("ready", flush=True)
time.sleep(600)
"""
TOOLS = ("unshare", "nsenter", "ip", "nft")
in_namespaces = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    *[pytest.mark.skipif(not shutil.which(tool), reason=f"needs the program {tool}") for tool in TOOLS],
]


def document(*words: str) -> Any:  # noqa: ANN401  # JSON
    """Return the document that a scan prints; what else is on this machine may be worth a look, or be closed to us."""
    done = portulan("scan", *words, "--json")
    assert done.returncode in {0, 1, 3}, done.stderr
    return json.loads(done.stdout)


def opened(found: Any) -> set[int]:  # noqa: ANN401  # JSON
    """Return the open ports of a document."""
    return {one["subject"]["local"]["port"] for one in found["verdicts"]}


@pytest.fixture
def held() -> Iterator[int]:
    """Hold a port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_this_machine_is_read(held: int) -> None:
    """Without --connect nothing is asked of this machine, and each row names who holds the port."""
    found = document("127.0.0.1", "--ports", str(held))
    [one] = found["verdicts"]
    assert os.getpid() in {process["pid"] for process in one["subject"]["processes"]}
    assert [host["read"] for host in found["hosts"]] == [True]


def test_with_connect_it_is_asked(held: int) -> None:
    """With --connect a connection is made, and who holds the port is not recorded."""
    found = document("127.0.0.1", "--connect", "--ports", f"{held},1-20")
    [one] = [one for one in found["verdicts"] if one["subject"]["local"]["port"] == held]
    subject = one["subject"]
    assert (subject["processes"], subject["processes_missing"]) == (None, "not recorded")
    assert (subject["perspective"], subject["host"]) == ("live", "127.0.0.1")
    [host] = found["hosts"]
    assert host["open"] + host["closed"] == 21


def test_the_formats_agree(held: int) -> None:
    """Text, JSON Lines and CSV have the same port."""
    words = ("scan", f"127.0.0.1:{held}", "--connect")
    row = portulan(*words).stdout.split("\t")
    assert row[1:3] == ["127.0.0.1", f"{held}/tcp"]
    [line] = [json.loads(text) for text in portulan(*words, "--format", "jsonl").stdout.splitlines()]
    [cells] = csv.DictReader(portulan(*words, "--format", "csv").stdout.splitlines())
    assert line["subject"]["local"]["port"] == int(cells["local_port"]) == held
    assert line["schema"] == "portulan.verdict/1"
    shown = on_terminal(*words)
    assert f"{held}/tcp" in shown


def test_what_it_prints_can_be_read_again(held: int, tmp_path: Path) -> None:
    """`observe` reads the document of a scan."""
    file = tmp_path / "scan.json"
    file.write_text(portulan("scan", f"127.0.0.1:{held}", "--connect", "--json").stdout, "utf-8")
    done = portulan("observe", str(file), "--format", "jsonl")
    assert [json.loads(line)["subject"]["local"]["port"] for line in done.stdout.splitlines()] == [held]


def test_it_can_ask_what_answers() -> None:
    """`--probe` asks the open ports, and the verdict weighs the answer."""
    with serving(http) as server:
        [one] = document(f"127.0.0.1:{server.port}", "--connect", "--probe")["verdicts"]
    assert one["subject"]["identification"]["protocol"] == "http"
    assert any(item["kind"] == "probe" for item in one["because"])


def test_several_targets_and_exclusions(held: int) -> None:
    """Networks, ranges and names are targets together, each address once, without what is excluded."""
    found = document(
        "127.0.0.0/29",
        "127.0.0.4-9",
        "localhost",
        "--exclude",
        "127.0.0.2,127.0.0.8",
        "--connect",
        "--ports",
        str(held),
    )
    asked = [host["address"] for host in found["hosts"] if ":" not in host["address"]]
    assert sorted(asked) == [f"127.0.0.{number}" for number in (1, 3, 4, 5, 6, 7, 9)]
    assert held in opened(found)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((), "portulan list"),
        (("nowhere.invalid",), "an address, or a name"),
        (("192.0.2.1",), "--i-am-allowed"),
        (("2001:db8::1",), "--i-am-allowed"),
        (("10.0.0.0-11.0.0.0",), "at most 65,536"),
        (("11.0.0.0/24",), "--i-am-allowed"),
        (("10.0.0.0/8",), "at most 65,536"),
        (("fd00::/64",), "at most 65,536"),
        (("10.0.0.0/16",), "--yes"),
        (("127.0.0.0/24", "--ports", "all"), "--yes"),
        (("127.0.0.1", "--exclude", "127.0.0.0/8"), "leaves out all"),
        (("127.0.0.1", "--ports", "0"), "22,80,8000-8100"),
        (("127.0.0.1", "--ports", ""), "22,80,8000-8100"),
        (("127.0.0.1:22", "127.0.0.2:23"), "--ports"),
        (("127.0.0.1", "--rate", "0"), "--rate 500"),
        (("127.0.0.1", "--rate", "-5"), "--rate 500"),
        (("127.0.0.1", "--udp", "53"), "portulan identify 127.0.0.1 --udp 53"),
        (("224.0.0.1",), "192.168.0.0/24"),
        (("\x1b[31m",), "192.168.0.0/24"),
        (("fe80::1%nowhere0",), "interface"),
        (("--resume", "/nonexistent/state"), ""),
        (("--resume", "/dev/null"), "scan anew"),
        (("--resume", "/dev/null", "127.0.0.1"), "--resume /dev/null"),
        (("--resume", "/dev/null", "--ports", "1"), "without it"),
    ],
)
def test_what_cannot_be_scanned_is_explained(words: tuple[str, ...], hint: str) -> None:
    """Bad targets, too much without leave, and broken files are errors with a hint, in plain letters."""
    done = portulan("scan", *words)
    assert done.returncode in {1, 2}
    assert "error: " in done.stderr
    assert hint in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stdout == ""


def test_a_low_limit_on_files_is_said(held: int) -> None:
    """Where few files may be open, that is said with what to do, and the port is found."""
    limited = ("sh", "-c", 'ulimit -n 40 && exec "$@"', "sh")
    done = portulan("scan", f"127.0.0.1:{held}", "--connect", before=limited)
    assert f"{held}/tcp" in done.stdout
    assert "hint: ulimit -n" in done.stderr


# ------------------------------------------------------------------------------------------------------ interruptions


def interrupted(*words: str, after_s: float) -> tuple[int, str, str]:
    """Run a scan, interrupt it when it is under way, and return the exit code and what it wrote."""
    with subprocess.Popen(
        [*COMMAND, "scan", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert "Traceback" not in stderr
    return process.returncode, stdout, stderr


def test_an_interrupted_scan_goes_on(tmp_path: Path) -> None:
    """What was found before and after an interruption is what a whole scan finds, and the state is used up."""
    state = tmp_path / "state.json"
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(12)]
        ports = {server.getsockname()[1] for server in servers}
        words = (
            "127.0.0.1",
            "--connect",
            "--ports",
            "30000-61000",
            "--rate",
            "10000",
            "--resume",
            str(state),
            "--json",
        )
        code, stdout, stderr = interrupted(*words, after_s=1.6)
        assert code == 130, stderr
        first = json.loads(stdout)
        assert any(item["why"] == "it was interrupted" for item in first["incomplete"])
        assert f"hint: to go on: portulan scan --resume {state}" in stderr
        second = document("--resume", str(state))
        whole = document("127.0.0.1", "--connect", "--ports", "30000-61000")
    assert opened(first) <= opened(second)
    assert ports <= opened(second)  # what other programs have may come and go
    assert ports <= opened(whole)
    [host] = second["hosts"]
    assert host["open"] + host["closed"] + host["silent"] == 31_001
    assert not state.exists()


def test_a_state_is_kept_for_the_user_if_nobody_says_where(tmp_path: Path) -> None:
    """Without --resume the state is in the user's folder, and said."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path)
    try:
        code, _, stderr = interrupted("127.0.0.1", "--connect", "--rate", "2000", after_s=1.2)
    finally:
        del os.environ["XDG_STATE_HOME"]
    [kept] = (tmp_path / "portulan").iterdir()
    assert code == 130
    assert f"portulan scan --resume {kept}" in stderr


# --------------------------------------------------------------------------------------------------------- other hosts


class Wire:
    """Two network namespaces with a cable: a scan in one, listeners and a packet filter in the other."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        """Lay the cable."""
        self._stack = stack
        near, far = [self._run("unshare", "--net", "sleep", "600") for _ in range(2)]
        self.near, self.far = self._enter(near), self._enter(far)
        self.do(self.near, f"ip link add cable0 type veth peer name cable1 netns {far.pid}")
        for who, end, number in ((self.near, "cable0", 1), (self.far, "cable1", 2)):
            self.do(who, "ip link set lo up")
            self.do(who, f"ip addr add 10.9.0.{number}/24 dev {end}")
            self.do(who, f"ip addr add fd09::{number}/64 dev {end} nodad")
            self.do(who, f"ip link set {end} address 02:00:00:00:00:0{number} up")

    def _run(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self._stack.callback(process.communicate)
        self._stack.callback(process.kill)
        return process

    @staticmethod
    def _enter(process: subprocess.Popen[str]) -> tuple[str, ...]:
        own, place = os.stat("/proc/self/ns/net").st_ino, f"/proc/{process.pid}/ns/net"  # noqa: PTH116
        while os.stat(place).st_ino == own:  # noqa: PTH116  # until it is there
            time.sleep(0.01)
        return ("nsenter", f"--net=/proc/{process.pid}/ns/net", "--")

    @staticmethod
    def do(who: tuple[str, ...], command: str) -> None:
        """Run a command on one side."""
        subprocess.run([*who, *command.split()], check=True, capture_output=True)

    def serve(self, *places: str) -> None:
        """Listen on the far side."""
        process = self._run(*self.far, sys.executable, "-c", SERVE, *places)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    def filter(self, *rules: str) -> None:
        """Filter what arrives at the far side."""
        chain = "add chain inet t i { type filter hook input priority 0 ; }"
        for rule in ("add table inet t", chain, *[f"add rule inet t i {rule}" for rule in rules]):
            self.do(self.far, f"nft {rule}")

    def scan(self, *words: str) -> Any:  # noqa: ANN401  # JSON
        """Scan from the near side."""
        done = portulan("scan", *words, "--json", before=self.near)
        assert done.returncode in {0, 1, 3}, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Two namespaces with a cable, gone afterwards."""
    with contextlib.ExitStack() as stack:
        yield Wire(stack)


class TestOthers:
    """Hosts at the other end of a cable."""

    pytestmark = in_namespaces

    @pytest.mark.parametrize(("target", "place"), [("10.9.0.2", "0.0.0.0"), ("fd09::2", "::")])
    def test_all_ports_of_a_host(self, wire: Wire, target: str, place: str) -> None:
        """Of one host all ports are scanned, by IPv4 and IPv6."""
        wire.serve(f"{place}:22", f"{place}:2528", f"{place}:55555")
        found = wire.scan(target)
        assert opened(found) == {22, 2528, 55555}
        [host] = found["hosts"]
        assert (host["closed"], host["silent"]) == (65_532, 0)

    def test_a_link_local_address_has_a_zone(self, wire: Wire) -> None:
        """An address of IPv6 that is one on a link alone is scanned by its zone."""
        wire.serve(":::2528")
        time.sleep(2)  # until the address is known to be nobody else's (RFC 4862, section 5.4)
        assert opened(wire.scan("fe80::ff:fe00:2%cable0", "--ports", "2500-2600")) == {2528}

    def test_silence_refusals_and_icmp_are_told_apart(self, wire: Wire) -> None:
        """What is dropped is silent, what a filter rejects is filtered; unreachable and closed are neither."""
        wire.serve("0.0.0.0:2528")
        wire.do(wire.far, "sysctl -q -w net.ipv4.icmp_ratelimit=0")
        wire.filter(
            "tcp dport 101-110 drop",
            "tcp dport 201-205 reject",
            "tcp dport 206-210 reject with icmp type admin-prohibited",
            "tcp dport 301-303 reject with icmp type host-unreachable",
            "tcp dport 401-404 reject with tcp reset",
        )
        found = wire.scan("10.9.0.2", "--ports", "101-110,201-210,301-303,401-410,2528")
        [host] = found["hosts"]
        told = {name: host[name] for name in ("open", "closed", "filtered", "unreachable", "silent")}
        assert told == {"open": 1, "closed": 10, "filtered": 10, "unreachable": 3, "silent": 10}

    def test_lost_answers_are_noticed_and_asked_for_again(self, wire: Wire) -> None:
        """Where packets are lost beyond a rate, the canary tells, the scan slows down and says so, and finds all."""
        wire.serve(*[f"0.0.0.0:{port}" for port in range(1000, 3000, 100)])
        wire.filter("meta l4proto tcp limit rate over 3000/second burst 300 packets drop")
        done = portulan("scan", "10.9.0.2", "--ports", "1-5000", "--json", before=wire.near)
        found = json.loads(done.stdout)
        assert opened(found) == set(range(1000, 3000, 100))
        [host] = found["hosts"]
        assert host["slowed"] > 0
        assert "lost answers" in done.stderr

    def test_loss_by_chance_hides_nothing(self, wire: Wire) -> None:
        """A tenth of all packets is lost, and every listener is found all the same."""
        wire.serve(*[f"0.0.0.0:{port}" for port in range(1000, 3000, 50)])
        wire.filter("meta l4proto tcp numgen random mod 100 < 10 drop")
        assert opened(wire.scan("10.9.0.2", "--ports", "1-5000")) == set(range(1000, 3000, 50))

    def test_who_is_not_there_is_passed_over(self, wire: Wire) -> None:
        """Of a network those are scanned who answer, this machine is read, and nobody's address is not waited for."""
        wire.serve("0.0.0.0:80", "0.0.0.0:3306")
        found = wire.scan("10.9.0.0/29")
        assert {(one["subject"]["host"], one["subject"]["local"]["port"]) for one in found["verdicts"]} == {
            ("10.9.0.2", 80),
            ("10.9.0.2", 3306),
        }
        states = {host["address"]: host for host in found["hosts"]}
        assert states["10.9.0.1"]["read"]
        assert states["10.9.0.3"]["why"] in {"nobody answers", "it cannot be reached"}
        alone = portulan("scan", "10.9.0.3", "--ports", "1-20", before=wire.near)
        assert alone.returncode == 1
        assert "note: 10.9.0.3: " in alone.stderr

    def test_a_host_without_a_route_cannot_be_reached(self, wire: Wire) -> None:
        """Where there is no way the scan ends at once and says so."""
        done = portulan("scan", "10.77.0.1", before=wire.near)
        assert done.returncode == 1
        assert "it cannot be reached" in done.stderr

    def test_what_may_not_go_out_is_incomplete(self, wire: Wire) -> None:
        """A route that prohibits is this machine's doing: said, with what is not known, and not as closed ports."""
        wire.do(wire.near, "ip route add prohibit 10.78.0.0/16")
        done = portulan("scan", "10.78.0.1", "--ports", "1-50", "--json", before=wire.near)
        [host] = json.loads(done.stdout)["hosts"]
        assert (host["closed"], host["not_asked"]) == (0, 50)
        assert "does not let it go out" in done.stderr

    def test_silent_ports_of_this_machine(self, wire: Wire) -> None:
        """Ports of this machine that a filter drops are silent, and all others known, without waiting for each."""
        wire.do(wire.near, "nft add table inet t")
        wire.do(wire.near, "nft add chain inet t i { type filter hook input priority 0 ; }")
        wire.do(wire.near, "nft add rule inet t i tcp dport 100-299 drop")
        [host] = wire.scan("127.0.0.1", "--connect")["hosts"]
        assert (host["silent"], host["closed"]) == (200, 65_335)


def test_its_own_sockets_are_not_listed() -> None:
    """A whole scan of loopback finds what listens, and not what itself dials from."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        seen = opened(document("127.0.0.1", "--connect", "--ports", "30000-61000"))
        read = opened(document("127.0.0.1", "--ports", "30000-61000"))
    assert port in seen
    assert port in read
