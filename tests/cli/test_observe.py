"""`portulan observe`: somebody else's observations come in as a file, a pipe or a folder, and go out judged."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from portulan.cli import main
from tests.cli.door import environment, portulan

SOCKSTAT = """\
USER     COMMAND    PID   FD  PROTO  LOCAL ADDRESS         FOREIGN ADDRESS
root     sshd       812   4   tcp4   *:22                  *:*
root     syslogd    700   7   udp6   *:514                 *:*
"""

COMPOSE = """\
services:
  web:
    ports:
      - "8080:80"
    environment:
      A: 1
      DATABASE_URL: postgres://db:5432/shop
    expose:
      - "9000"
"""


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    """Write what a FreeBSD machine printed."""
    path = tmp_path / "sockets.txt"
    path.write_text(SOCKSTAT, encoding="ascii")
    os.utime(path, (1_764_000_000, 1_764_000_000))
    return path


def verdicts(*words: str) -> list[dict[str, object]]:
    """Return the verdicts that the command prints."""
    return list(json.loads(portulan("observe", *words, "--json").stdout)["verdicts"])


def test_a_file_is_judged(listing: Path) -> None:
    """A file comes out as rows with verdicts; what the record does not tell is null, and its time is the file's."""
    sshd, syslogd = (verdict["subject"] for verdict in verdicts(str(listing)))
    assert isinstance(sshd, dict)
    assert isinstance(syslogd, dict)
    assert (sshd["perspective"], sshd["host"], sshd["observed_at"]) == ("imported", None, "2025-11-24T16:00:00Z")
    assert sshd["processes"][0]["name"] == "sshd"
    assert sshd["processes"][0]["executable"] is None
    assert (syslogd["transport"], syslogd["local"]) == ("udp", {"address": "::", "port": 514})


def test_a_pipe_is_judged_like_a_file(listing: Path) -> None:
    """Standard input is `-`; its time is now, unless the user says otherwise, and the user names the host."""
    words = [sys.executable, "-m", "portulan", "observe", "-", "--host", "bsd1", "--at", "2026-02-28T12:00:00+01:00"]
    done = subprocess.run(
        [*words, "--json"], input=listing.read_bytes(), capture_output=True, check=True, env=environment(), timeout=60
    )
    subjects = [verdict["subject"] for verdict in json.loads(done.stdout)["verdicts"]]
    assert {(one["host"], one["observed_at"]) for one in subjects} == {("bsd1", "2026-02-28T11:00:00Z")}


@pytest.mark.parametrize("how", ["gzip", "utf-16", "carriage returns"])
def test_the_same_in_another_coat(how: str, listing: Path) -> None:
    """A file may be compressed, in UTF-16 as PowerShell redirects, or have the line ends of Windows."""
    plain = verdicts(str(listing))
    at = listing.stat().st_mtime
    text = listing.read_text("ascii")
    coats = {
        "gzip": gzip.compress(text.encode()),
        "utf-16": text.encode("utf-16"),
        "carriage returns": text.replace("\n", "\r\n").encode(),
    }
    listing.write_bytes(coats[how])
    os.utime(listing, (at, at))
    assert verdicts(str(listing)) == plain


def test_damaged_gzip_is_said(listing: Path) -> None:
    """Where compressed data end too early, what came before is shown, the rest is said to be missing, and exit is 3."""
    lines = SOCKSTAT + "".join([f"root     sshd  {pid} 4 tcp4  *:{pid}  *:*\n" for pid in range(1000, 60_000)])
    listing.write_bytes(gzip.compress(lines.encode())[:-100_000])
    done = portulan("observe", str(listing), "--format", "csv")
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) > 1_000
    assert f"incomplete: the rest of {listing}" in done.stderr


def test_bad_records_are_counted_and_passed_over(listing: Path) -> None:
    """A record that is none is counted with its line, the others are shown, and the exit code says so."""
    listing.write_text(SOCKSTAT + "nonsense\n" * 5 + "root sshd 1 4 tcp4 *:70000 *:*\n" + SOCKSTAT, encoding="ascii")
    done = portulan("observe", str(listing), "--format", "jsonl")
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 4
    assert "6 records of" in done.stderr
    assert "line 4: 1 words and not 7" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"hello\n", "in no format"), (os.urandom(70_000), "in no format"), (b"\x1f\x8b", "gzip")],
)
def test_what_is_no_observation_is_an_error(content: bytes, said: str, listing: Path) -> None:
    """A file in no known format is an error with a hint, and exit code 2."""
    listing.write_bytes(content)
    done = portulan("observe", str(listing))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "\nhint: " in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "whose observations"),
        (("/no/such/file",), "No such file"),
        (("-", "--from", "tarot"), "no format 'tarot'"),
        (("-", "--at", "yesterday"), "not a time"),
        (("--to", "x", "--host", "other"), "--host is about a FILE"),
    ],
)
def test_wrong_words(words: tuple[str, ...], said: str) -> None:
    """What cannot be meant is an error with a hint, and exit code 2."""
    done = portulan("observe", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "\nhint: " in done.stderr


def test_the_csv_has_host_and_place(listing: Path) -> None:
    """CSV begins with when, where and by what it was seen, then the columns of a list."""
    rows = list(
        csv.DictReader(portulan("observe", str(listing), "--host", "bsd1", "--format", "csv").stdout.splitlines())
    )
    assert [(row["observed_at"], row["host"], row["local_port"]) for row in rows] == [
        ("2025-11-24T16:00:00Z", "bsd1", "22"),
        ("2025-11-24T16:00:00Z", "bsd1", "514"),
    ]


def test_hostile_names_do_not_reach_the_terminal(listing: Path) -> None:
    """Control characters from a file are written out, in the table and in what is said of bad records."""
    listing.write_text(SOCKSTAT + "root \x1b[31mevil 1 4 tcp4 *:80 *:*\nroot \x1b]0;evil 4\n", encoding="ascii")
    done = portulan("observe", str(listing))
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[31mevil" in done.stdout


def test_progress_is_said_where_it_takes_a_while(tmp_path: Path) -> None:
    """What takes more than a second says how far it is, on standard error and nowhere else."""
    script = """
import sys, time
from portulan.cli import places
places.SILENT_S = places.EVERY_LINE_S = 0
from portulan.cli import main
sys.exit(main(["observe", sys.argv[1], "--format", "csv"]))
"""
    path = tmp_path / "many"
    path.write_text(SOCKSTAT + "root sshd 812 4 tcp4 *:22 *:*\n" * 2_000, encoding="ascii")
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
        timeout=60,
    )
    assert "MB, " in done.stderr
    assert "observations\n" in done.stderr
    assert "observations\n" not in done.stdout


def test_help_lists_the_formats() -> None:
    """`observe --help` names every format with the command that writes it."""
    done = portulan("observe", "--help")
    assert done.returncode == 0
    assert "sockstat -46 of FreeBSD" in done.stdout


def test_one_of_several_that_cannot_be_read_does_not_keep_from_the_others(listing: Path, tmp_path: Path) -> None:
    """Of several files the readable ones are read whatever their order; the others are said, and the exit code is 3."""
    prose = tmp_path / "prose.txt"
    prose.write_text("Dear Sir or Madam,\n", encoding="ascii")
    missing = str(tmp_path / "missing")
    done = portulan("observe", missing, str(listing), str(prose), str(listing), "--format", "jsonl")
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 4
    assert f"incomplete: {missing}: No such file or directory\n" in done.stderr
    assert f"incomplete: {prose}: in no format that is known by its beginning\n" in done.stderr


def test_a_repository_is_read_by_file_and_line(tmp_path: Path) -> None:
    """A folder is a repository: its files by name, their lines in order; what is linked to is not followed."""
    pytest.importorskip("yaml")
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="ascii")
    (tmp_path / "Procfile").write_text("web: gunicorn -b :8000 shop\n", encoding="ascii")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "again.yaml").symlink_to(tmp_path / "compose.yaml")
    os.mkfifo(tmp_path / "Dockerfile")
    lines = [json.loads(line) for line in portulan("observe", str(tmp_path), "--format", "jsonl").stdout.splitlines()]
    places = [line["subject"]["declaration"] for line in lines]
    assert [(place["file"].rpartition("/")[2], place["line"], place["role"]) for place in places] == [
        ("Procfile", 1, "published"),
        ("compose.yaml", 4, "published"),
        ("compose.yaml", 4, "internal"),
        ("compose.yaml", 7, "dialled"),
        ("compose.yaml", 9, "internal"),
    ]


def test_what_may_not_be_opened_in_a_repository_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """A file or folder that may not be opened is named, since nobody can say what it declares; exit code 3."""
    (tmp_path / "Procfile").write_text("web: gunicorn -b :8000 shop\n", encoding="ascii")
    assert main(["observe", str(tmp_path), "--format", "jsonl"]) == 0  # all modules are loaded by whoever may read them
    capfd.readouterr()
    request.getfixturevalue("unprivileged")
    with tempfile.TemporaryDirectory() as folder:  # of the user that the test is for now
        Path(folder, "Procfile").write_text("web: gunicorn -b :8000 shop\n", encoding="ascii")
        Path(folder, "Dockerfile").write_text("EXPOSE 80\n", encoding="ascii")
        Path(folder, "Dockerfile").chmod(0)
        Path(folder, "secret").mkdir(mode=0)
        try:
            assert main(["observe", folder, "--format", "jsonl"]) == 3
        finally:
            Path(folder, "secret").chmod(0o700)
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 1
    assert f"incomplete: {folder}/Dockerfile: Permission denied\n" in err
    assert f"incomplete: {folder}/secret: Permission denied\n" in err
