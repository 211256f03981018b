"""The recording: episodes in a file that survives everything but its own deletion."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.errors import RecordingError
from portulan.model import Endpoint, Event, Observation, Process, Verdict, replace
from portulan.observe import find_recording
from portulan.observe.recorded import VERSION, count_episodes, read_episodes
from portulan.observe.recording import MOST_PENDING, Recording

if TYPE_CHECKING:
    from portulan.model import Direction, EventKind

BEGIN = datetime(2026, 11, 22, 9, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1_000)
DAY_MS = 86_400_000
MAILER = Process(812, "mailer", "/srv/mailer", ("mailer", "--password=secret"), "shop", BEGIN)
OTHER = Process(813, "other", "/srv/other", ("other",), "shop", BEGIN)


def seen(direction: Direction = "connect", own: int = 40_000, *processes: Process, port: int = 2528) -> Observation:
    """Make an observation of a socket that dials or holds 2528, by mailer if nobody else is named."""
    local = Endpoint("127.0.0.1", own if direction == "connect" else port)
    peer = None if direction == "listen" else Endpoint("127.0.0.2", port if direction == "connect" else own)
    return Observation(
        BEGIN, "pbx1", "live", direction, "tcp", local, peer, "established", processes or (MAILER,), None,
        "mailer.service", None, None, 4_026_531_840, inode=own,
    )  # fmt: skip


def event(kind: EventKind, observation: Observation, previous: tuple[Process, ...] | None = None) -> Event:
    """Make an event with a verdict."""
    verdict = Verdict(observation, "unexplained", None, "look", "PT105", (), None, ())
    return Event(BEGIN, kind, observation, None if kind == "vanished" else verdict, previous)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Name a file that is not there yet."""
    return str(tmp_path / "history.sqlite")


def after(seconds: float) -> int:
    """Return a moment in milliseconds."""
    return BEGIN_MS + int(seconds * 1_000)


class Clock:
    """A stand-in for the monotonic clock, for what happens in hours."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.seconds = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


def test_connections_of_one_program_to_one_place_are_one_episode(path: str) -> None:
    """Dials are counted, by program, user and place; the port that the kernel gave them is not kept."""
    recording = Recording(path, now_ms=after(0))
    for number in range(5):
        recording.note(event("appeared", seen("connect", 40_000 + number)), after(number))
        recording.note(event("vanished", seen("connect", 40_000 + number)), after(number + 0.5))
        recording.commit(after(number + 0.5))
    recording.note(event("closed", replace(seen("connect", 1), processes=())), after(9))
    recording.close(after(10))
    closed, mailer = read_episodes(path, 2528)
    assert (mailer.first_seen_at, mailer.last_seen_at, mailer.count) == (BEGIN, BEGIN + timedelta(seconds=4), 5)
    assert (mailer.local_address, mailer.local_port) == ("127.0.0.1", None)
    assert (mailer.peer_address, mailer.peer_port) == ("127.0.0.2", 2528)
    assert (mailer.process_name, mailer.executable, mailer.user) == ("mailer", "/srv/mailer", "shop")
    assert (mailer.unit, mailer.judgement, mailer.attention, mailer.rule) == (
        "mailer.service",
        "unexplained",
        "look",
        "PT105",
    )
    assert (closed.count, closed.executable, closed.direction) == (1, None, "connect")
    assert read_episodes(path, 2528, "udp") == ()
    assert read_episodes(path, 25) == ()


def test_no_command_line_is_written(path: str) -> None:
    """What is in the file and beside it holds no command line."""
    recording = Recording(path, now_ms=after(0))
    recording.note(event("appeared", seen("listen")), after(0))
    recording.commit(after(1))
    assert all(b"secret" not in file.read_bytes() for file in Path(path).parent.iterdir())
    recording.close(after(2))
    assert b"/srv/mailer" in Path(path).read_bytes()


def test_what_is_open_was_seen_until_the_watch_was(path: str) -> None:
    """While a socket is open its last time is that of the run; once it is closed, its own."""
    clock = Clock()
    recording = Recording(path, now_ms=after(0), clock=clock)
    recording.note(event("present", seen("listen", 7)), after(0))
    for second in range(30):
        clock.seconds = second
        recording.commit(after(second))
    (open_one,) = read_episodes(path, 2528)
    assert open_one.last_seen_at == BEGIN + timedelta(seconds=29)
    recording.note(event("vanished", seen("listen", 7)), after(30))
    recording.close(after(60))
    (closed,) = read_episodes(path, 2528)
    assert (closed.last_seen_at, closed.count) == (BEGIN + timedelta(seconds=30), 1)


def test_a_watch_that_begins_again_does_not_count_again(path: str) -> None:
    """A socket that is there when a watch begins is counted once, however often watches begin."""
    for run in range(3):
        recording = Recording(path, now_ms=after(100 * run))
        recording.note(event("present", seen("listen", 7)), after(100 * run))
        recording.close(after(100 * run + 50))
    (episode,) = read_episodes(path, 2528)
    assert (episode.count, episode.first_seen_at) == (1, BEGIN)
    assert episode.last_seen_at == BEGIN + timedelta(seconds=250)


def test_a_changed_holder_ends_one_episode_and_begins_another(path: str) -> None:
    """When a socket gets another holder, the first one's time ends there."""
    recording = Recording(path, now_ms=after(0))
    recording.note(event("appeared", seen("listen", 7)), after(0))
    recording.note(event("changed", seen("listen", 7, OTHER), (MAILER,)), after(10))
    recording.close(after(20))
    other, mailer = read_episodes(path, 2528)
    assert (mailer.executable, mailer.last_seen_at) == ("/srv/mailer", BEGIN + timedelta(seconds=10))
    assert (other.executable, other.last_seen_at) == ("/srv/other", BEGIN + timedelta(seconds=20))


def test_every_program_of_a_socket_has_its_episode(path: str) -> None:
    """A socket that two programs share is an episode of each; workers of one program are one."""
    recording = Recording(path, now_ms=after(0))
    recording.note(event("appeared", seen("listen", 7, MAILER, replace(MAILER, pid=9), OTHER)), after(0))
    recording.close(after(1))
    assert [(episode.executable, episode.count) for episode in read_episodes(path, 2528)] == [
        ("/srv/other", 1),
        ("/srv/mailer", 1),
    ]


def test_only_as_long_as_is_to_be_kept(path: str) -> None:
    """What was last seen before the time to keep is forgotten, what is open stays, and the file does not grow."""
    clock = Clock()
    recording = Recording(path, now_ms=after(0), keep_days=2, clock=clock)
    recording.note(event("appeared", seen("listen", 7, port=22)), after(0))
    sizes = []
    for hour in range(24 * 20):
        now_ms = BEGIN_MS + hour * 3_600_000
        clock.seconds = hour * 3_600
        for number in range(40):
            process = replace(MAILER, executable=f"/tmp/{hour}/{number}")  # noqa: S108  # a name only
            observation = seen("connect", 40_000 + number, process)
            recording.note(event("appeared", observation), now_ms)
            recording.note(event("vanished", observation), now_ms)
        recording.commit(now_ms)
        sizes.append(Path(path).stat().st_size)
    recording.close(BEGIN_MS + 20 * DAY_MS)
    kept = read_episodes(path, 2528)
    assert min(episode.last_seen_at for episode in kept) >= BEGIN + timedelta(days=17, hours=22)
    assert 40 * 48 <= len(kept) <= 40 * 50
    assert len(read_episodes(path, 22)) == 1
    assert max(sizes[24 * 5 :]) <= 1.2 * max(sizes[: 24 * 5])


def test_the_file_is_for_its_owner_alone(path: str) -> None:
    """The file, and what SQLite keeps beside it, has mode 0600, whatever the umask."""
    former = os.umask(0)
    try:
        recording = Recording(path, now_ms=after(0))
        recording.note(event("appeared", seen()), after(0))
        recording.commit(after(1))
        files = list(Path(path).parent.iterdir())
        assert {file.name for file in files} == {"history.sqlite", "history.sqlite-wal", "history.sqlite-shm"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        recording.close(after(2))
    finally:
        os.umask(former)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"port,name\n2528,ncr-ccl\n" * 100, "not a recording"),
        (b"SQLite format 3\0" + bytes(4_080), "not a recording"),
        ("foreign", "not a recording"),
        ("newer", "another version"),
        ("damaged", "cannot be used"),
    ],
    ids=["text", "header", "foreign", "newer", "damaged"],
)
def test_a_file_that_is_no_recording_is_not_touched(path: str, content: bytes | str, says: str) -> None:
    """A file of something else, of another version or damaged is refused with a hint and left as it was."""
    if isinstance(content, bytes):
        Path(path).write_bytes(content)
    elif content == "foreign":
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE episode (id)")
        database.close()
    else:
        recording = Recording(path, now_ms=after(0))
        for number in range(200):
            recording.note(event("closed", seen("connect", 1, port=number + 1)), after(0))
        recording.close(after(2))
        whole = bytearray(Path(path).read_bytes())
        whole[60:64] = (VERSION + 1 if content == "newer" else VERSION).to_bytes(4, "big")
        if content == "damaged":
            whole[2_048:12_288] = os.urandom(10_240)
        Path(path).write_bytes(whole)
    Path(path).chmod(0o600)
    before = Path(path).read_bytes()
    with pytest.raises(RecordingError, match=says) as caught:
        Recording(path, now_ms=after(0))
    assert caught.value.hint
    assert Path(path).read_bytes() == before
    if content != "damaged":  # a reader may find what it looks for in the undamaged part
        with pytest.raises(RecordingError, match=says):
            read_episodes(path, 2528)


def test_a_file_that_others_can_write_is_refused(path: str, tmp_path: Path) -> None:
    """A file that others can write, and what is no file, is refused; a link of one's own is followed."""
    Recording(path, now_ms=after(0)).close(after(1))
    Path(path).chmod(0o620)
    with pytest.raises(RecordingError, match="written by others"):
        Recording(path, now_ms=after(0))
    Path(path).chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    Recording(str(link), now_ms=after(2)).close(after(3))
    with pytest.raises(RecordingError, match=r"not a file|Is a directory"):
        Recording(str(tmp_path), now_ms=after(0))
    with pytest.raises(RecordingError, match="No such file"):
        Recording(str(tmp_path / "nowhere" / "file"), now_ms=after(0))


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of another user")
def test_what_belongs_to_another_user_is_refused(path: str, tmp_path: Path) -> None:
    """A file of another user, and a link that another user made, is refused."""
    Recording(path, now_ms=after(0)).close(after(1))
    link = tmp_path / "link"
    link.symlink_to(path)
    os.lchown(link, 65_534, 65_534)
    with pytest.raises(RecordingError, match="another user"):
        Recording(str(link), now_ms=after(2))
    os.chown(path, 65_534, 65_534)
    with pytest.raises(RecordingError, match="another user"):
        Recording(path, now_ms=after(2))


def test_two_watches_do_not_share_a_file(path: str) -> None:
    """A second watch on the same file is refused while the first one writes; readers are not."""
    recording = Recording(path, now_ms=after(0))
    with pytest.raises(RecordingError, match="another watch"):
        Recording(path, now_ms=after(1))
    code = f"from portulan.observe.recorded import read_episodes; print(read_episodes({path!r}, 2528))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "()\n"
    recording.close(after(2))
    Recording(path, now_ms=after(3)).close(after(4))


KILLED = """
import sys, time
from tests.observe.test_recording import *
clock = Clock()
recording = Recording(sys.argv[1], now_ms=after(0), clock=clock)
print(0, flush=True)
for second in range(10_000):
    recording.note(event("closed", seen("connect", 1, port=second % 60_000 + 1)), after(second))
    recording.note(event("appeared", seen("listen", second)), after(second))
    clock.seconds = second
    recording.commit(after(second))
    print(second, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 2, 57, 300])
def test_killed_at_any_moment(path: str, lines: int) -> None:
    """Killed with SIGKILL, wherever it is, a recording opens again and has all but at most the last second."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((os.environ.get("PYTHONPATH", ""), str(root)))}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        for _line in range(lines):
            written = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        written = int(([str(written), *writer.stdout.read().split()])[-1])
    if lines > 1:
        held = next(episode for episode in read_episodes(path, 2528) if episode.direction == "listen")
        assert held.last_seen_at >= BEGIN + timedelta(seconds=written)
        assert held.count >= written + 1
    Recording(path, now_ms=after(20_000)).close(after(20_001))
    if lines > 1:
        held = next(episode for episode in read_episodes(path, 2528) if episode.direction == "listen")
        assert BEGIN + timedelta(seconds=written) <= held.last_seen_at <= BEGIN + timedelta(seconds=written + 1)
        assert len(read_episodes(path, written + 1)) == 1


def test_no_room(path: str) -> None:
    """Where nothing can be written what is new waits, the failure is known, and it is written once there is room."""
    clock = Clock()
    recording = Recording(path, now_ms=after(0), clock=clock)
    pages = recording._database.execute("PRAGMA page_count").fetchone()[0]
    recording._database.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(500):
        recording.note(event("closed", seen("connect", 1, port=number + 1)), after(1))
    recording.commit(after(1))
    assert "full" in (recording.failure or "")
    assert read_episodes(path, 1) == ()
    recording._database.execute("PRAGMA max_page_count = 100000")
    clock.seconds = 4
    recording.commit(after(5))
    assert read_episodes(path, 1) == ()
    clock.seconds = 11
    recording.commit(after(12))
    assert len(read_episodes(path, 1)) == len(read_episodes(path, 500)) == 1
    recording.close(after(13))


def test_a_clock_that_is_set_back(path: str) -> None:
    """Where the clock of the system is set back it is written as before, and what is open was seen by that clock."""
    clock = Clock()
    recording = Recording(path, now_ms=after(0), keep_days=2, clock=clock)
    recording.commit(after(0))
    clock.seconds = 1
    recording.note(event("appeared", seen("listen", 7)), after(-86_400))
    recording.commit(after(-86_400))
    (episode,) = read_episodes(path, 2528)
    assert episode.first_seen_at == episode.last_seen_at == BEGIN - timedelta(days=1)
    assert not recording._pending
    recording.close(after(-86_399))


def test_what_waits_is_bounded(path: str) -> None:
    """What waits to be written is written once it is much, however short a time it has waited; nothing is lost."""
    recording = Recording(path, now_ms=after(0), clock=Clock())
    recording.commit(after(0))
    for number in range(MOST_PENDING + 100):
        process = replace(MAILER, executable=f"/srv/{number}")
        recording.note(event("closed", seen("connect", 1, process)), after(0))
        assert len(recording._pending) <= MOST_PENDING
    assert count_episodes(path, 2528) == MOST_PENDING
    recording.close(after(1))
    assert count_episodes(path, 2528) == MOST_PENDING + 100


def test_what_waits_is_bounded_without_room(path: str) -> None:
    """Where nothing can be written what waits is bounded as well."""
    recording = Recording(path, now_ms=after(0), clock=Clock())
    pages = recording._database.execute("PRAGMA page_count").fetchone()[0]
    recording._database.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(MOST_PENDING + 100):
        process = replace(MAILER, executable=f"/srv/{number}")
        recording.note(event("closed", seen("connect", 1, process)), after(0))
    assert len(recording._pending) == MOST_PENDING
    assert "full" in (recording.failure or "")
    recording.close(after(1))


def test_the_most_recent_and_how_many(path: str) -> None:
    """As many episodes are read as are wanted, the most recent, and counted without being read."""
    recording = Recording(path, now_ms=after(0))
    for number in range(50):
        process = replace(MAILER, executable=f"/srv/{number}")
        recording.note(event("closed", seen("connect", 1, process)), after(number))
    recording.close(after(50))
    assert [episode.executable for episode in read_episodes(path, 2528, most=2)] == ["/srv/49", "/srv/48"]
    assert (count_episodes(path, 2528), count_episodes(path, 2528, "tcp"), count_episodes(path, 25)) == (50, 50, 0)
    assert count_episodes(path, 2528, "udp") == 0


def test_reading_leaves_nothing_behind(path: str, tmp_path: Path) -> None:
    """A recording that no watch writes is read without a file beside it, by a link too; one that is written, whole."""
    clock = Clock()
    recording = Recording(path, now_ms=after(0), clock=clock)
    recording.note(event("appeared", seen("listen", 7)), after(0))
    recording.commit(after(0))
    link = tmp_path / "link"
    link.symlink_to(path)
    for place in (path, str(link)):
        assert len(read_episodes(place, 2528)) == 1
    recording.close(after(1))
    for place in (path, str(link)):
        assert len(read_episodes(place, 2528)) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"history.sqlite", "link"}


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a device and an empty file are no recordings to read."""
    pipe, empty = tmp_path / "pipe", tmp_path / "empty"
    os.mkfifo(pipe)
    empty.touch()
    for place, says in ((pipe, "not a file"), (Path(os.devnull), "not a file"), (empty, "not a recording")):
        with pytest.raises(RecordingError, match=says) as caught:
            read_episodes(str(place), 2528)
        assert caught.value.hint
    assert {file.name for file in tmp_path.iterdir()} == {"pipe", "empty"}


def test_a_recording_with_strange_values(path: str) -> None:
    """A recording into which somebody wrote something else is an error, no traceback."""
    Recording(path, now_ms=after(0)).close(after(1))
    database = sqlite3.connect(path)
    with database:
        values = [1, 2528, "connect", "tcp", *[""] * 8, None, None, None, "long ago", 1, 1, None]
        database.execute(f"INSERT INTO episode VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608  # marks
    database.close()
    with pytest.raises(RecordingError, match="damaged"):
        read_episodes(path, 2528)


def test_which_recording_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a recording or none; else it is the user's own, if it is there."""
    named, own = tmp_path / "named", tmp_path / "state" / "portulan" / "history.sqlite"
    monkeypatch.setenv("PORTULAN_HISTORY", str(named))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert find_recording() is None
    named.touch()
    assert find_recording() == str(named)
    monkeypatch.setenv("PORTULAN_HISTORY", "")
    assert find_recording() is None
    monkeypatch.delenv("PORTULAN_HISTORY")
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_recording() == str(own)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".local").mkdir()
    (tmp_path / "state").rename(tmp_path / ".local" / "state")
    assert find_recording() == str(tmp_path / ".local" / "state" / "portulan" / "history.sqlite")


def test_the_file_says_what_it_is(path: str) -> None:
    """The header of the file has the number by which a recording is known (file(1), SQLite's application_id)."""
    Recording(path, now_ms=after(0)).close(after(1))
    assert Path(path).read_bytes()[68:72] == b"Port"
