"""`portulan learn` and `portulan check` at the door, on this machine's own sockets and on records of them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.door import environment, portulan

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN = '[[rule]]\neffect = "allow"\nuser = "*"\n'
"""A policy that lets everything be that somebody made."""


@pytest.fixture
def held() -> Iterator[int]:
    """Hold a port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return where a policy is to be."""
    return tmp_path / "ports.toml"


def expecting(port: int, **keys: str) -> str:
    """Return the text of a rule."""
    more = "".join([f'{key} = "{value}"\n' for key, value in keys.items()])
    return f'[[rule]]\neffect = "expect"\nport = {port}\n{more}\n'


def record(tmp_path: Path) -> str:
    """Write down what is here now, as JSON."""
    file = tmp_path / "now.json"
    file.write_text(portulan("list", "--json").stdout, "utf-8")
    return str(file)


def found(*words: str) -> list[tuple[str, int]]:
    """Check, and return the codes and ports of the findings."""
    document = json.loads(portulan("check", *words, "--json").stdout)
    return [(one["rule"], one["port"]) for one in document["findings"]]


def test_a_learned_policy_has_what_is_here(held: int) -> None:
    """Learn writes TOML with a rule about each port that is held, and says on standard error how many."""
    done = portulan("learn")
    rules = tomllib.loads(done.stdout)["rule"]
    numbers = [port for rule in rules for port in (rule["port"] if isinstance(rule["port"], list) else [rule["port"]])]
    assert held in numbers
    assert f" about {f'{len(numbers)} numbers' if len(numbers) > 1 else 'one number'}; " in done.stderr


def test_what_no_rule_expects_is_found_and_what_is_expected_is_not(held: int, policy: Path, tmp_path: Path) -> None:
    """The same machine is as it should be under one policy, and not under another."""
    seen = record(tmp_path)
    policy.write_text("", "utf-8")
    assert ("PT201", held) in found(seen, "--policy", str(policy))
    policy.write_text(expecting(held, executable=os.path.realpath(sys.executable)) + OPEN, "utf-8")
    assert ("PT201", held) not in found(seen, "--policy", str(policy))
    policy.write_text(expecting(held, executable="/usr/sbin/nginx"), "utf-8")
    assert ("PT202", held) in found(seen, "--policy", str(policy))


@pytest.mark.skipif(sys.platform != "linux", reason="one descriptor for two numbers, and /proc to see them")
def test_another_owner_is_found_under_whatever_number_it_has_the_socket(policy: Path) -> None:
    """Who was left a socket holds it too, even where no search that is satisfied with one owner would look."""
    program = Path(sys.executable).resolve()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        policy.write_text(expecting(port, executable=str(program)), "utf-8")
        assert ("PT202", port) not in found("--policy", str(policy))
        number = server.fileno()
        # Those with few files are searched first: it has more than we have.
        moving = f"import os; os.dup2({number}, 99); os.close({number}); [os.dup2(0, n) for n in range(100, 250)]"
        words = (sys.executable, "-c", f"{moving}; os.execvp('sleep', ['-', '60'])")
        with subprocess.Popen(words, pass_fds=[number]) as other:
            try:
                while Path(f"/proc/{other.pid}/exe").resolve() == program:
                    os.sched_yield()
                assert ("PT202", port) in found("--policy", str(policy))
            finally:
                other.kill()


@pytest.mark.parametrize(("fail_on", "code"), [("investigate", 1), ("look", 1), ("never", 0)])
def test_the_exit_code_is_what_the_gate_says(held: int, policy: Path, tmp_path: Path, fail_on: str, code: int) -> None:
    """A finding fails the check at or above --fail-on; with `never` it is told and fails nothing."""
    policy.write_text(expecting(1 if held > 1 else 2) + OPEN, "utf-8")
    file = tmp_path / "ss.txt"
    file.write_text(f"tcp LISTEN 0 1 127.0.0.1:{held} 0.0.0.0:* uid:0\n", "utf-8")
    done = portulan("check", str(file), "--from", "ss", "--policy", str(policy), "--fail-on", fail_on)
    assert "PT205" in done.stdout
    assert done.returncode in {code, 3 if code == 0 else code}


def test_every_format_is_written_before_the_exit_code_is_decided(held: int, policy: Path, tmp_path: Path) -> None:
    """Each output is there, whole, though the check fails; none of them is left half."""
    policy.write_text("", "utf-8")
    forms = ("text", "json", "jsonl", "csv", "sarif", "junit", "github", "nagios", "prometheus", "markdown")
    outputs = [f"--output={form}={tmp_path / form}" for form in forms]
    done = portulan("check", record(tmp_path), "--policy", str(policy), *outputs)
    assert done.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*forms, "now.json", "ports.toml"])
    for form in forms:
        text = (tmp_path / form).read_text("utf-8")
        assert str(held) in text or form in {"prometheus", "nagios"}  # which count, or tell of the first thirty
        assert stat.S_IMODE((tmp_path / form).stat().st_mode) == 0o644


def test_a_file_that_cannot_be_written_is_an_error(policy: Path, tmp_path: Path) -> None:
    """Where there is no folder or no room the error names the file; links, pipes and devices stay what they are."""
    policy.write_text(OPEN, "utf-8")
    done = portulan("check", record(tmp_path), "--policy", str(policy), "--output", f"json={tmp_path}/no/where.json")
    assert done.returncode == 2
    assert f"\nerror: {tmp_path}/no/where.json: " in done.stderr
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    portulan("check", record(tmp_path), "--policy", str(policy), "--output", f"json={link}")
    assert (link.is_symlink(), json.loads(target.read_text("utf-8"))["schema"]) == (True, "portulan.check/1")
    outputs = ("--output", "json=/dev/full", "--output", f"csv={tmp_path}/there.csv")
    full = portulan("check", record(tmp_path), "--policy", str(policy), "--json", *outputs)
    assert "error: /dev/full: No space left on device\nhint: " in full.stderr
    assert full.returncode == 2
    # ... and keeps from no other report.
    assert json.loads(full.stdout)["schema"] == "portulan.check/1"
    assert (tmp_path / "there.csv").exists()


def test_nagios_is_told_that_nothing_is_known(policy: Path, tmp_path: Path) -> None:
    """What keeps from checking is unknown to Nagios, in a line that says so: no alarm of critical without a text."""
    seen = record(tmp_path)
    nagios = ("--policy", str(policy), "--format", "nagios")
    for content, named in ((None, seen), ("[[rule]]\n", seen), (OPEN, "/nonexistent/record")):
        policy.unlink(missing_ok=True)
        if content is not None:
            policy.write_text(content, "utf-8")
        done = portulan("check", named, *nagios)
        assert done.returncode == 3
        assert done.stdout.startswith("PORTULAN UNKNOWN: /")


def test_a_scan_that_has_asked_is_not_said_not_to_have(policy: Path, tmp_path: Path) -> None:
    """What answers counts in the record of a scan as after --probe; a record without it says that nobody asked."""
    scan = tmp_path / "scan.xml"
    text = (
        '<nmaprun scanner="nmap" start="1795597200"><host><status state="up"/>'
        '<address addr="10.0.0.5" addrtype="ipv4"/>'
        '<ports><port protocol="tcp" portid="22"><state state="open"/>{}</port></ports></host></nmaprun>'
    )
    policy.write_text(expecting(22, protocol="ssh"), "utf-8")
    for service, code, asked in (('<service name="http" method="probed" conf="10"/>', 1, True), ("", 0, False)):
        scan.write_text(text.format(service), "utf-8")
        done = portulan("check", str(scan), "--policy", str(policy), "--json")
        assert (done.returncode, json.loads(done.stdout)["asked"]) == (code, asked)


def test_a_record_without_sockets_is_not_passed(policy: Path, tmp_path: Path) -> None:
    """Where there was nothing to check the check says so and is not clean; a folder without anything is an error."""
    policy.write_text(expecting(22, host="web-*"), "utf-8")
    (tmp_path / "fleet").mkdir()
    assert portulan("check", str(tmp_path / "fleet"), "--policy", str(policy)).returncode == 2
    empty = tmp_path / "empty.json"
    empty.write_text('{"schema": "portulan.list/1", "snapshot": "2026-02", "verdicts": [], "incomplete": []}', "utf-8")
    done = portulan("check", str(empty), "--policy", str(policy))
    assert done.returncode == 3
    assert "there is no socket in it" in done.stderr


def test_the_policy_is_the_one_that_is_named_or_the_folders_or_the_users(held: int, tmp_path: Path) -> None:
    """--policy comes before $PORTULAN_POLICY, ./ports.toml and that of the user; where there is none it is an error."""
    seen, config, here = record(tmp_path), tmp_path / "config" / "portulan", tmp_path / "here"
    config.mkdir(parents=True)
    here.mkdir()
    env = environment(XDG_CONFIG_HOME=str(tmp_path / "config"), HOME=str(tmp_path), PORTULAN_POLICY=None)

    def which(*words: str, **changes: str) -> str:
        with contextlib.chdir(here):
            done = portulan("check", seen, *words, "--json", env={**env, **changes})
        return json.loads(done.stdout)["policy"]["file"] if done.stdout else done.stderr

    assert which().startswith("error: there is no policy: neither ports.toml nor ")
    (config / "ports.toml").write_text(expecting(held), "utf-8")
    assert which() == str(config / "ports.toml")
    (here / "ports.toml").write_text(expecting(held), "utf-8")
    assert which() == "ports.toml"
    other = tmp_path / "other.toml"
    other.write_text(expecting(held), "utf-8")
    assert which(PORTULAN_POLICY=str(other)) == str(other)
    assert which("--policy", "ports.toml", PORTULAN_POLICY=str(other)) == "ports.toml"
    (here / "ports.toml").unlink()
    (here / "ports.toml").symlink_to("nowhere")
    assert which().startswith("error: ports.toml: No such file or directory")  # and not the user's instead


def test_a_wrong_policy_is_told_with_its_lines(policy: Path) -> None:
    """Every fault has file, line, column and the line itself; the exit code is 2, and nothing is checked."""
    policy.write_text('[[rule]]\neffect = "exepct"\nport = 99999\n', "utf-8")
    done = portulan("check", "--policy", str(policy))
    assert done.returncode == 2
    assert f"error: {policy}:2:10: " in done.stderr
    assert f"error: {policy}:3:8: " in done.stderr
    assert "^^^^^" in done.stderr
    assert not done.stdout
    done = portulan("check", "--policy", str(policy), "--format", "github")
    assert done.stdout.count("::error file=") == 2


def test_validate_reads_policies_and_checks_nothing(policy: Path, tmp_path: Path) -> None:
    """Each policy that is named is read; one with a fault among them is exit code 2."""
    policy.write_text(OPEN, "utf-8")
    done = portulan("check", "--validate", str(policy))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{policy}: 1 rule\n")
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe[\x00")
    done = portulan("check", "--validate", str(policy), str(bad))
    assert done.returncode == 2
    assert f"{policy}: 1 rule" in done.stderr
    assert f"error: {bad}:1:1: " in done.stderr
    done = portulan("check", "--validate", str(tmp_path), str(policy))
    assert done.returncode == 2
    assert f"error: {tmp_path}: " in done.stderr
    assert f"{policy}: 1 rule" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\xff" * 100, b"[[[" * 50_000, b"x" * 5_000_000])
def test_whatever_the_policy_holds_it_is_no_traceback(policy: Path, tmp_path: Path, content: bytes) -> None:
    """Empty is a policy that expects nothing; binary, deep and huge files are errors with a hint."""
    policy.write_bytes(content)
    done = portulan("check", record(tmp_path), "--policy", str(policy))
    assert done.returncode in {2, 1, 0, 3}
    assert (done.returncode == 2) == bool(content)
    assert not content or done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--policy", "/nonexistent/ports.toml"),
        ("check", "--output", "sarif"),
        ("check", "--output", "yaml=x"),
        ("check", "--format", "yaml"),
        ("check", "--fail-on", "ok"),
        ("check", "/nonexistent/record", "--probe"),
        ("learn", "/nonexistent/record"),
        ("learn", "x", "--probe"),
        ("check", "/nonexistent/record"),
    ],
)
def test_wrong_words_are_an_error_with_a_hint(words: tuple[str, ...], policy: Path) -> None:
    """What cannot be done is said in a line, with what to do instead, and exit code 2."""
    policy.write_text(OPEN, "utf-8")
    done = portulan(*words, env=environment(PORTULAN_POLICY=str(policy)))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert not done.stdout


def test_a_fleet_is_checked_by_each_hosts_last_look(policy: Path, tmp_path: Path) -> None:
    """A folder with looks of several days is judged by each host's last, and what a host lacks is missing there."""
    pytest.importorskip("pyarrow", reason="comes with the extra fleet")
    for host, at, ports in (("a", "2026-11-20", (22, 8000)), ("a", "2026-11-21", (22,)), ("b", "2026-11-21", (80,))):
        file = tmp_path / "ss.txt"
        file.write_text("".join([f"tcp LISTEN 0 1 127.0.0.1:{port} 0.0.0.0:* uid:0\n" for port in ports]), "utf-8")
        to = ("--to", str(tmp_path / "fleet"))
        portulan("observe", str(file), "--from", "ss", "--host", host, "--at", f"{at}T00:00:00Z", *to)
    policy.write_text(expecting(22) + expecting(80, host="b"), "utf-8")
    assert found(str(tmp_path / "fleet"), "--policy", str(policy)) == [("PT205", 22)]


def test_what_others_expect_becomes_a_policy(tmp_path: Path) -> None:
    """Compose publishes, goss rules out: both are rules, and the ban comes first."""
    pytest.importorskip("yaml", reason="comes with the extra declared")
    compose, goss = tmp_path / "compose.yaml", tmp_path / "goss.yaml"
    compose.write_text('services:\n  web:\n    image: nginx\n    ports: ["8080:80"]\n', "utf-8")
    goss.write_text("port:\n  tcp:23:\n    listening: false\n", "utf-8")
    done = portulan("learn", str(compose), str(goss))
    rules = tomllib.loads(done.stdout)["rule"]
    assert [(rule["effect"], rule["port"]) for rule in rules] == [("forbid", 23), ("expect", 8080)]


def test_the_list_and_the_page_have_verdicts_by_a_policy(held: int, policy: Path) -> None:
    """With --policy, or $PORTULAN_POLICY, what a policy expects is expected, and the rule is named by its place."""
    policy.write_text(expecting(held, reason="the shop"), "utf-8")
    for words, env in (((str(held), "--policy", str(policy)), None), ((str(held),), {"PORTULAN_POLICY": str(policy)})):
        done = portulan(*words, "--json", env=environment(**(env or {})))
        (verdict,) = json.loads(done.stdout)["verdicts"]
        assert (verdict["judgement"], verdict["attention"], verdict["rule"]) == ("expected", "ok", "PT200")
        assert verdict["because"][0]["source"] == f"{policy}:1"
    page = portulan(str(held), "--policy", str(policy)).stdout
    assert "the policy expects it: the shop" in page
    rows = [line.split("\t") for line in portulan("--policy", str(policy)).stdout.splitlines()]
    assert [row[-2:] for row in rows if row[1] == f"{held}/tcp"] == [["expected", "the policy expects it: the shop"]]
    assert portulan("lookup", str(held), "--policy", str(policy)).returncode == 2
