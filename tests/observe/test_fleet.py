"""Observations of many machines as Parquet: what is written comes back, whole files only, whatever lies there."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.errors import ReadError, UsageError, WriteError
from portulan.model import Endpoint, Observation, Process, replace
from portulan.observe import fleet
from portulan.observe.columns import SCHEMA, TABLE, to_batch
from portulan.observe.fleet import Written, read_fleet, write_fleet
from portulan.observe.readers.source import Bad
from tests.cli.door import CODES
from tests.observe.machine import LISTENERS
from tests.strategies import observations

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 25, 9, 10, 11, 123456, tzinfo=UTC)
MAILER = Process(812, "mailer", "/home/shop/mailer", ("mailer", "--password=hunter2"), "www-data", AT)
DIALS = Observation(
    observed_at=AT,
    host="pbx1",
    perspective="live",
    direction="connect",
    transport="tcp",
    local=Endpoint("127.0.0.1", 43210),
    peer=Endpoint("127.0.0.1", 2528),
    socket_state="established",
    processes=(MAILER,),
    processes_missing=None,
    unit="mailer.service",
    container=None,
    package=None,
    network_namespace=4026531840,
)
DAY = timedelta(days=1)


def kept(observation: Observation) -> Observation:
    """Return what is to come back of an observation."""

    def bare(processes: tuple[Process, ...]) -> tuple[Process, ...]:
        return tuple(replace(process, command_line=None) for process in processes)

    return replace(
        observation,
        perspective="imported" if observation.perspective == "live" else observation.perspective,
        processes=bare(observation.processes),
        in_flight=bare(observation.in_flight),
    )


def read(place: object) -> list[Observation]:
    """Return the observations of a place where nothing is bad."""
    found = list(read_fleet(str(place)))
    bad = [record for record in found if isinstance(record, Bad)]
    assert not bad
    return [record for record in found if isinstance(record, Observation)]


def bad_in(place: object) -> list[str]:
    """Return why records of a place could not be read."""
    return [record.why for record in read_fleet(str(place)) if isinstance(record, Bad)]


def files_in(folder: Path) -> set[str]:
    """Return the paths of all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def many(count: int, **changes: object) -> list[Observation]:
    """Return observations that differ by their port."""
    return [replace(DIALS, local=Endpoint("::1", port), **changes) for port in range(count)]


# ------------------------------------------------------------------------------------------------------ there and back


class TestRoundTrip:
    """What is written comes back."""

    @given(st.lists(observations(), max_size=6))
    @settings(max_examples=60, deadline=None)
    def test_every_field(self, tmp_path_factory: pytest.TempPathFactory, seen: list[Observation]) -> None:
        """Every observation comes back equal, in its order, but for command lines and `live`."""
        path = tmp_path_factory.mktemp("fleet") / "seen.parquet"
        assert write_fleet(seen, str(path)) == Written(len(seen), (str(path),))
        assert read(path) == [kept(observation) for observation in seen]

    def test_what_changes(self, tmp_path: Path) -> None:
        """Microseconds stay, also of a process; `live` becomes `imported`; there is no command line."""
        write_fleet([DIALS], str(tmp_path))
        (found,) = read(tmp_path)
        assert found == replace(DIALS, perspective="imported", processes=(replace(MAILER, command_line=None),))
        assert (found.observed_at, found.observed_at.tzinfo) == (AT, UTC)

    def test_every_field_has_a_column_but_command_lines(self) -> None:
        """No field of the model is forgotten, and none of the secrets is written."""
        flat = {"local_address", "local_port", "peer_address", "peer_port"}
        assert set(TABLE.names) - flat - {"schema"} == set(Observation._fields) - {"local", "peer"}
        processes = {field.name for field in TABLE.field("processes").type.value_type}
        assert processes == set(Process._fields) - {"command_line"}
        assert "command_line" not in str(TABLE)

    def test_equal_owners_are_one(self, tmp_path: Path) -> None:
        """Rows with the same owners share them: a machine's sockets have few."""
        write_fleet(many(3), str(tmp_path))
        assert len({id(found.processes) for found in read(tmp_path)}) == 1

    def test_what_does_not_fit(self, tmp_path: Path) -> None:
        """A text that is no Unicode is spelt out, a number that is too large is null, and the rest of the row stays."""
        odd = replace(DIALS, unit="caf\udce9.service", host="\udc80", inode=2**70, network_namespace=-(2**70))
        write_fleet([odd, DIALS], str(tmp_path / "odd.parquet"))
        assert read(tmp_path / "odd.parquet") == [
            kept(replace(odd, unit="caf\\udce9.service", host="\\udc80", inode=None, network_namespace=None)),
            kept(DIALS),
        ]

    def test_more_rows_than_are_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A large file has groups of rows of a bounded size, and a folder further files, with all rows there once."""
        monkeypatch.setattr(fleet, "BATCH", 10)
        monkeypatch.setattr(fleet, "ROW_GROUP", 40)
        monkeypatch.setattr(fleet, "MOST_ROWS", 80)
        write_fleet(many(171), str(tmp_path / "x.parquet"))
        metadata = pq.read_metadata(tmp_path / "x.parquet")
        groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        assert groups == [40, 40, 40, 40, 11]
        assert [found.local.port for found in read(tmp_path / "x.parquet")] == [*range(171)]
        for count, sizes in ((171, [11, 80, 80]), (160, [80, 80]), (1, [1])):
            written = write_fleet(many(count), str(tmp_path / str(count)))
            assert sorted(pq.read_metadata(path).num_rows for path in written.files) == sizes
            assert sorted(found.local.port for found in read(tmp_path / str(count))) == [*range(count)]


# --------------------------------------------------------------------------------------------------------- the folders


HOSTILE = [
    *("", ".", "..", "a/b", "../../etc/passwd", "/", "a b", "é☃", "a=b", "%2F", "a+b", "-", "_x", ".x", "CON", "\\"),
    *("\n", "\x00", "\x1b[31m", "'; --", "pbx1.example.org", "🐙" * 80, "x" * 300, "\udc80", fleet.NOWHERE),
]


class TestPlace:
    """Where files lie, and when."""

    @pytest.mark.parametrize("host", HOSTILE, ids=range(len(HOSTILE)))
    def test_hostile_hosts(self, tmp_path: Path, host: str) -> None:
        """Whatever a host is called, its file is two folders below the place, and its name is in the column."""
        place = tmp_path / "place"
        seen = replace(DIALS, host=host)
        (path,) = write_fleet([seen], str(place)).files
        day, folder, _file = Path(path).relative_to(place).parts
        assert (day, folder[:5]) == ("date=2026-11-25", "host=")
        assert files_in(tmp_path) == {str(Path(path).relative_to(tmp_path))}
        spelt = host.encode("utf-8", "backslashreplace").decode()
        assert read(place) == [kept(replace(seen, host=spelt))]

    def test_others_read_the_folders(self, tmp_path: Path) -> None:
        """Others, such as pyarrow, take date and host from the folders, decoded, and agree with the columns."""
        hosts = [host for host in HOSTILE if 0 < len(host) < 40 and host.isprintable() and host != fleet.NOWHERE]
        for host in hosts:
            write_fleet([replace(DIALS, host=host)], str(tmp_path))
        table = ds.dataset(tmp_path, partitioning="hive").to_table(columns=["host", "date", "local_port"])
        assert sorted(table["host"].to_pylist()) == sorted(hosts)
        assert set(table["date"].to_pylist()) == {"2026-11-25"}

    def test_a_host_that_nobody_knows(self, tmp_path: Path) -> None:
        """A row without a host has none when it comes back, unless it is said whose machine was looked at."""
        nameless = replace(DIALS, host=None)
        (path,) = write_fleet([nameless], str(tmp_path / "a")).files
        assert f"/host={fleet.NOWHERE}/" in path
        assert read(tmp_path / "a") == [kept(nameless)]
        write_fleet([nameless, DIALS], str(tmp_path / "b"), host="web")
        assert [found.host for found in read(tmp_path / "b")] == ["pbx1", "web"]

    def test_a_file_for_each_date_and_host(self, tmp_path: Path) -> None:
        """However rows of many hosts are mixed, each host has one file a date, with its rows in their order."""
        seen = [
            replace(row, host=f"host{number % 30}", observed_at=AT + DAY * (number % 2))
            for number, row in enumerate(many(600))
        ]
        random.Random(1).shuffle(seen)  # noqa: S311  # an order, no secret
        written = write_fleet(iter(seen), str(tmp_path))
        assert (written.rows, len(written.files)) == (
            600,
            30,
        )  # even hosts were seen on one date, odd ones on the other
        assert {str(tmp_path / name) for name in files_in(tmp_path)} == set(written.files)
        for path in written.files:
            found = read(path)
            assert found == [
                kept(row) for row in seen if (row.host, row.observed_at) == (found[0].host, found[0].observed_at)
            ]

    def test_more_hosts_than_a_folder_should_have(self, tmp_path: Path) -> None:
        """So many hosts as only a scan has go into one file; as folders they are refused before any is written."""
        scan = [replace(DIALS, host=f"host{number}") for number in range(fleet.MOST_FILES + 1)]
        with pytest.raises(WriteError, match="more than 10,000 hosts") as caught:
            write_fleet(scan, str(tmp_path / "folder"))
        assert "--to FILE.parquet" in (caught.value.hint or "")
        assert files_in(tmp_path) == set()
        assert write_fleet(scan, str(tmp_path / "x.parquet")).rows == len(read(tmp_path / "x.parquet")) == len(scan)

    def test_a_machine_without_ports(self, tmp_path: Path) -> None:
        """A machine on which nothing was seen has a file without rows; an import without any has none."""
        written = write_fleet([], str(tmp_path), host="quiet")
        assert written.rows == 0
        assert re.search(r"/date=\d{4}-\d\d-\d\d/host=quiet/\d{8}T\d{6}Z-[0-9a-f]{16}\.parquet$", written.files[0])
        assert read(tmp_path) == []
        assert pq.read_metadata(written.files[0]).metadata[b"portulan.schema"] == SCHEMA.encode()
        assert write_fleet([], str(tmp_path / "none")) == Written(0, ())

    def test_every_write_is_a_file(self, tmp_path: Path) -> None:
        """Two writes of one machine in one second are two files; a file by its name is replaced."""
        for _ in range(2):
            write_fleet([DIALS], str(tmp_path / "many"))
            write_fleet([DIALS], str(tmp_path / "one.parquet"))
        assert len(read(tmp_path / "many")) == 2
        assert len(read(tmp_path / "one.parquet")) == 1

    def test_the_schema_is_with_the_rows(self, tmp_path: Path) -> None:
        """The schema is in the metadata of a file and in each row, without a description of Arrow's own."""
        (path,) = write_fleet([DIALS], str(tmp_path)).files
        assert {*pq.read_metadata(path).metadata} == {b"portulan.schema", b"portulan.version"}
        assert pq.read_table(path, partitioning=None)["schema"].to_pylist() == [SCHEMA]

    @pytest.mark.parametrize("place", ["{}/x.parquet", "{}/folder", "file://{}/folder", "local://{}/a%20b"])
    def test_ways_to_name_a_local_place(self, tmp_path: Path, place: str) -> None:
        """A path and a URL of the local system lead to the same files."""
        write_fleet([DIALS], place.format(tmp_path))
        assert read(place.format(tmp_path)) == [kept(DIALS)]
        assert files_in(tmp_path)


# ------------------------------------------------------------------------------------------------------ whole or absent


def interrupt(error: BaseException) -> Iterator[Observation]:
    """Yield more than a group of rows, then fail."""
    yield from many(2_000)
    raise error


KILLED = """
import os, signal, stat, sys
from tests.observe import test_fleet
from portulan.observe import columns, fleet, places

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

match sys.argv[2]:
    case "rows":
        to_batch, calls = fleet.to_batch, []
        fleet.to_batch = lambda rows: die() if len(calls.append(0) or calls) > 9 else to_batch(rows)
    case "sync":
        sync = os.fsync
        os.fsync = lambda file: die() if stat.S_ISREG(os.fstat(file).st_mode) else sync(file)
    case "rename": places.Path.replace = die
    case "after": places._sync = lambda folder: die() if "host=" in str(folder) else None
fleet.write_fleet(test_fleet.many(30_000), sys.argv[1])
"""


class TestWhole:
    """A reader sees a whole file or none."""

    @pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), ReadError("the input ended")])
    @pytest.mark.parametrize("place", ["", "seen.parquet"])
    def test_observations_that_fail(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, place: str
    ) -> None:
        """Where the observations end with an error, no file is left, and a file of that name is as it was."""
        monkeypatch.setattr(fleet, "BATCH", 100)
        monkeypatch.setattr(fleet, "ROW_GROUP", 200)
        monkeypatch.setattr(fleet, "MOST_ROWS", 600)  # some files were written
        before = b"as it was"
        (tmp_path / "seen.parquet").write_bytes(before)
        with pytest.raises(type(error)):
            write_fleet(interrupt(error), str(tmp_path / place))
        assert files_in(tmp_path) == {"seen.parquet"}
        assert (tmp_path / "seen.parquet").read_bytes() == before

    @pytest.mark.parametrize("step", ["rows", "sync", "rename", "after"])
    @pytest.mark.parametrize("place", ["", "seen.parquet"])
    def test_killed_at_each_step(self, tmp_path: Path, step: str, place: str) -> None:
        """Killed among the rows, before they reach the disk or before the rename, nothing is seen; after it, all."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
        words = [
            sys.executable,
            "-c",
            KILLED,
            str(tmp_path / place),
            "after" if step == "after" and not place else step,
        ]
        done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, check=False, timeout=60)
        is_whole = step == "after"
        assert done.returncode == (0 if is_whole and place else -9), done.stderr
        found = list(read_fleet(str(tmp_path)))
        assert found == ([kept(row) for row in many(30_000)] if is_whole else [])
        assert len(files_in(tmp_path)) == 1, "what is left is hidden"

    def test_leftovers(self, tmp_path: Path) -> None:
        """What a machine began a day ago is removed when it writes again; of others, or of today, nothing is."""
        hidden = tmp_path / ".writing"
        hidden.mkdir()
        for name, age in (("host=pbx1=a.part", 1.1), ("host=pbx1=b.part", 0.5), ("host=pbx10=a.part", 9), ("x", 9)):
            (hidden / name).touch()
            os.utime(hidden / name, (time.time() - age * 86_400,) * 2)
        write_fleet([DIALS], str(tmp_path))
        assert {path.name for path in hidden.iterdir()} == {"host=pbx1=b.part", "host=pbx10=a.part", "x"}
        assert read(tmp_path) == [kept(DIALS)]

    def test_leftovers_of_a_file(self, tmp_path: Path) -> None:
        """Beside a file too, what was begun under its name is removed after a day, and nothing else."""
        for name in (".x.parquet=a.part", ".xx.parquet=a.part", "x.parquet=a.part"):
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (0, 0))
        write_fleet([DIALS], str(tmp_path / "x.parquet"))
        assert files_in(tmp_path) == {"x.parquet", ".xx.parquet=a.part", "x.parquet=a.part"}

    def test_no_room(self, tmp_path: Path) -> None:
        """Where the disk takes no more that is said, and nothing is left."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
        try:
            with pytest.raises(WriteError, match=r"\.parquet: File too large$"):
                write_fleet(many(40_000), str(tmp_path))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert files_in(tmp_path) == set()

    def test_no_permission(self, unprivileged: None) -> None:  # noqa: ARG002  # a fixture for what it does
        """A folder that may not be written is said."""
        with pytest.raises(WriteError, match="Permission denied"):
            write_fleet([DIALS], "/portulan-fleet")

    def test_a_place_that_is_a_file(self, tmp_path: Path) -> None:
        """A file that is not called like a Parquet file is no folder."""
        (tmp_path / "notes").touch()
        with pytest.raises(WriteError, match=r"/notes is a file$"):
            write_fleet([DIALS], str(tmp_path / "notes"))


# --------------------------------------------------------------------------------------------------- what may lie there


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """Return the content of a file with rows of all kinds."""
    write_fleet(many(50), str(tmp_path / "whole.parquet"))
    return (tmp_path / "whole.parquet").read_bytes()


class TestStrangers:
    """Files that are damaged, newer, older, or not ours."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("empty.parquet", b""),
            ("text.parquet", b"State Recv-Q Send-Q\n" * 99),
            ("magic.parquet", b"PAR1PAR1"),
            ("footer.parquet", b"PAR1" + b"\xff" * 99 + b"\xff\xff\xff\x7fPAR1"),
        ],
    )
    def test_no_parquet(self, tmp_path: Path, whole: bytes, name: str, content: bytes) -> None:
        """What is no Parquet is named, and the other files are read."""
        (tmp_path / name).write_bytes(content)
        (tmp_path / "z.parquet").write_bytes(whole)
        (why,) = bad_in(tmp_path)
        assert why.startswith(f"{tmp_path / name}: ")
        assert "\n" not in why
        assert len([row for row in read_fleet(str(tmp_path)) if isinstance(row, Observation)]) == 100

    @pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9, 0.999])
    def test_truncated(self, tmp_path: Path, whole: bytes, part: float) -> None:
        """A file that was cut is named and gives no rows: what it holds is told by its end."""
        path = tmp_path / "cut.parquet"
        path.write_bytes(whole[: int(len(whole) * part)])
        (record,) = read_fleet(str(path))
        assert isinstance(record, Bad)
        assert str(path) in record.why

    @given(data=st.data())
    @settings(max_examples=150, deadline=None)
    def test_any_damage(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        """Whatever bytes are changed, reading ends without an exception, with observations and bad records."""
        folder = tmp_path_factory.mktemp("fleet")
        path = folder / "damaged.parquet"
        write_fleet(many(20), str(path))
        content = bytearray(path.read_bytes())
        places = st.integers(0, len(content) - 1)
        for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
            content[place] = value
        path.write_bytes(content)
        assert {type(record) for record in read_fleet(str(folder))} <= {Observation, Bad}

    def test_a_newer_schema(self, tmp_path: Path) -> None:
        """A file of another schema is named with it, by its metadata, or by its rows where that is lost."""
        table = pa.Table.from_batches([to_batch([DIALS, DIALS])])
        newer = table.set_column(0, "schema", pa.array(["portulan.observation/2", SCHEMA]))
        pq.write_table(
            table.replace_schema_metadata({"portulan.schema": "portulan.observation/2"}), tmp_path / "a.parquet"
        )
        pq.write_table(newer, tmp_path / "b.parquet")
        first, second, third = read_fleet(str(tmp_path))
        assert first == Bad(
            0, f"{tmp_path}/a.parquet: of schema 'portulan.observation/2', which this Portulan does not know"
        )
        assert second == Bad(0, f"{tmp_path}/b.parquet, row 1: is of schema 'portulan.observation/2'")
        assert third == kept(DIALS)

    def test_somebody_elses_table(self, tmp_path: Path) -> None:
        """A Parquet file of something else is said to hold no observations."""
        pq.write_table(pa.table({"port": [2528]}), tmp_path / "x.parquet")
        assert bad_in(tmp_path) == [f"{tmp_path}/x.parquet: no observations"]

    def test_an_older_file(self, tmp_path: Path) -> None:
        """Columns that a file does not have, at any level, are null, and those that we do not know are passed over."""
        process = pa.struct([("pid", pa.int32()), ("name", pa.string()), ("mood", pa.string())])
        table = pa.table(
            {
                "direction": ["listen"],
                "transport": ["tcp"],
                "perspective": ["live"],
                "local_address": ["::"],
                "local_port": [22],
                "colour": ["red"],
                "observed_at": pa.array([AT], pa.timestamp("us", "UTC")),
                "processes": pa.array([[{"pid": 1, "name": "sshd", "mood": "fine"}]], pa.list_(process)),
            }
        ).replace_schema_metadata({"portulan.schema": SCHEMA})
        pq.write_table(table, tmp_path / "x.parquet")
        (found,) = read(tmp_path)
        assert found.processes == (Process(1, "sshd", None, None, None, None),)
        assert (found.host, found.peer, found.in_flight, found.identification) == (None, None, (), None)
        assert (found.observed_at, found.local, found.perspective) == (AT, Endpoint("::", 22), "imported")

    def test_rewritten_by_others(self, tmp_path: Path) -> None:
        """Files that another program has joined are read: other texts, no metadata, the host in the folder alone."""
        (path,) = write_fleet(many(3), str(tmp_path / "ours")).files
        table = pq.read_table(path, partitioning=None).replace_schema_metadata(None).drop_columns("host")
        table = table.set_column(
            table.schema.get_field_index("unit"),
            "unit",
            table["unit"].cast(pa.dictionary(pa.int32(), pa.large_string())),
        )
        folder = tmp_path / "theirs" / "date=2026-11-25" / "host=pbx%31"
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "part-0.snappy.parquet")
        assert read(tmp_path / "theirs") == [kept(row) for row in many(3)]

    def test_rows_that_are_no_observations(self, tmp_path: Path) -> None:
        """A row with a word that there is not, or without what every observation has, is named; the others stay."""
        table = pa.Table.from_batches([to_batch(many(5))])
        columns = {name: table[name].to_pylist() for name in table.schema.names}
        columns["direction"][0] = "sideways"
        columns["local_address"][1] = None
        columns["processes"][2] = [{"pid": None}]
        columns["observed_at"][3] = None
        pq.write_table(pa.Table.from_pydict(columns, schema=table.schema), tmp_path / "x.parquet")
        *bad, last = read_fleet(str(tmp_path))
        assert [record.why for record in bad if isinstance(record, Bad)] == [
            f"{tmp_path}/x.parquet, row 1: direction 'sideways' is none of its words",
            f"{tmp_path}/x.parquet, row 2: local is missing",
            f"{tmp_path}/x.parquet, row 3: processes pid is missing",
            f"{tmp_path}/x.parquet, row 4: observed_at is missing",
        ]
        assert last == kept(many(5)[4])

    @pytest.mark.parametrize(
        "column",
        [
            pa.array(["somewhere"]),
            pa.array([70_000]),
            pa.array([-1]),
            pa.array([[1]]),
            pa.array([{"number": 1}]),
            pa.array([b"\xff"]),
        ],
        ids=["text", "large", "negative", "list", "struct", "bytes"],
    )
    def test_columns_of_another_type(self, tmp_path: Path, column: pa.Array) -> None:
        """A column that cannot be what it is called is said, and the other files are read."""
        table = pa.Table.from_batches([to_batch([DIALS])])
        place = table.schema.get_field_index("local_port")
        pq.write_table(table.set_column(place, "local_port", column), tmp_path / "a.parquet")
        write_fleet([DIALS], str(tmp_path / "b.parquet"))
        first, second = read_fleet(str(tmp_path))
        assert isinstance(first, Bad)
        assert first.why.startswith(f"{tmp_path}/a.parquet, from row 1: ")
        assert second == kept(DIALS)

    def test_texts_that_are_none(self, tmp_path: Path) -> None:
        """A text that is no UTF-8 is spelt out, as texts of this machine are."""
        table = pa.Table.from_batches([to_batch([DIALS])])
        odd = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"]).buffers())
        pq.write_table(table.set_column(table.schema.get_field_index("unit"), "unit", odd), tmp_path / "x.parquet")
        assert [row.unit for row in read(tmp_path)] == ["caf\\xe9"]

    def test_what_is_passed_over(self, tmp_path: Path) -> None:
        """Files and folders that begin with a dot or an underscore, and files of other names, are not looked at."""
        write_fleet([DIALS], str(tmp_path))
        for name in (".hidden.parquet", "_temporary.parquet", "_SUCCESS", "x.parquet.crc", "notes.txt"):
            (tmp_path / name).write_text("no Parquet")
        for name in ("_delta_log", ".writing"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "x.parquet").write_text("no Parquet")
        assert read(tmp_path) == [kept(DIALS)]

    def test_a_folder_that_leads_back(self, tmp_path: Path) -> None:
        """Links to folders are not followed, and folders are not looked into without an end."""
        write_fleet([DIALS], str(tmp_path))
        (tmp_path / "again").symlink_to(tmp_path)
        deep = tmp_path / "/".join("x" * 12)
        deep.mkdir(parents=True)
        *rows, bad = read_fleet(str(tmp_path))
        assert rows == [kept(DIALS)]
        assert isinstance(bad, Bad)
        assert "more folders in folders" in bad.why

    def test_a_folder_that_may_not_be_read(self, unprivileged: None) -> None:  # noqa: ARG002  # as above
        """A folder that is closed to us is said."""
        if os.access("/root", os.R_OK, effective_ids=True):
            pytest.skip("everybody may read root's folder here")
        assert bad_in("/root") == ["the folder: Permission denied"]

    def test_a_file_that_goes(self, tmp_path: Path) -> None:
        """A file that is removed while the others are read is named."""
        first, second = (write_fleet([DIALS], str(tmp_path)).files[0] for _ in range(2))
        reading = read_fleet(str(tmp_path))
        assert next(reading) == kept(DIALS)
        for path in (first, second):
            Path(path).unlink()
        (bad,) = reading
        assert bad == Bad(0, f"{max(first, second)}: No such file or directory")

    def test_nothing_there(self, tmp_path: Path) -> None:
        """A place that is not there is an error; an empty folder is not."""
        with pytest.raises(ReadError, match="there is no"):
            list(read_fleet(str(tmp_path / "nowhere")))
        assert list(read_fleet(str(tmp_path))) == []


# ----------------------------------------------------------------------------------------------------------------- URLs


class Renaming(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A system that shows files while they are written, as SFTP does: what was done to it is kept."""

    protocol = "renaming"
    store: dict[str, Any] = {}  # noqa: RUF012  # as its base has it
    pseudo_dirs = [""]  # noqa: RUF012
    done: list[tuple[str, str]] = []  # noqa: RUF012

    def put_file(self, lpath: str, rpath: str, *words: Any, **named: Any) -> None:  # noqa: ANN401  # fsspec's
        """Remember."""
        self.done.append(("put", rpath))
        super().put_file(lpath, rpath, *words, **named)

    def mv(self, path1: str, path2: str, *words: Any, **named: Any) -> None:  # noqa: ANN401
        """Remember."""
        self.done.append(("mv", path2))
        super().mv(path1, path2, *words, **named)


class TestUrl:
    """Places that fsspec reaches."""

    def test_a_bucket(self) -> None:
        """A bucket takes whole objects, in the folders of a local place, and gives them back."""
        url = f"memory://bucket{random.getrandbits(64)}/ports"
        assert write_fleet(many(3), url).files[0].startswith(f"{url}/date=2026-11-25/host=pbx1/")
        write_fleet([replace(DIALS, host="a/b")], f"{url}/")
        fsspec.filesystem("memory").pipe(f"{url}/date=2026-11-25/host=pbx1/z.parquet", b"no Parquet")
        assert [record for record in read_fleet(url) if isinstance(record, Observation)] == [
            kept(replace(DIALS, host="a/b")),
            *[kept(row) for row in many(3)],
        ]
        (why,) = bad_in(url)
        assert why.startswith(f"{url}/date=2026-11-25/host=pbx1/z.parquet: ")

    def test_an_object(self) -> None:
        """A URL that ends in .parquet is one object."""
        url = f"memory://bucket{random.getrandbits(64)}/x.parquet"
        assert write_fleet(many(3), url) == Written(3, (url,))
        assert read(url) == [kept(row) for row in many(3)]

    def test_an_error_leaves_no_object(self) -> None:
        """Where the observations end with an error, nothing is put."""
        url = f"memory://bucket{random.getrandbits(64)}"
        with pytest.raises(ReadError, match="the input ended"):
            write_fleet(interrupt(ReadError("the input ended")), url)
        with pytest.raises(ReadError, match="there is no"):
            list(read_fleet(url))

    def test_a_system_that_is_no_object_store(self) -> None:
        """Where a file is seen while it is written, it is written under a hidden name and renamed."""
        fsspec.register_implementation("renaming", Renaming, clobber=True)
        Renaming.done.clear()
        write_fleet([DIALS], "renaming://server/ports")
        (put, hidden), (moved, path) = Renaming.done
        assert (put, moved) == ("put", "mv")
        assert hidden.rpartition("/")[2].startswith(".")
        assert path.endswith(".parquet")
        assert read("renaming://server/ports") == [kept(DIALS)]

    def test_a_store_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever a driver raises is said in one line, with the URL."""

        def fail(*_words: object, **_named: object) -> None:
            message = "no credentials\nat all"
            raise LookupError(message)

        monkeypatch.setattr(MemoryFileSystem, "put_file", fail)
        monkeypatch.setattr(MemoryFileSystem, "exists", fail)
        with pytest.raises(WriteError, match=r"^memory://b/date=.*\.parquet: no credentials$"):
            write_fleet([DIALS], "memory://b")
        with pytest.raises(ReadError, match=r"^memory://b: no credentials$"):
            list(read_fleet("memory://b"))

    @pytest.mark.parametrize(
        ("url", "package"), [("s3://bucket", "s3fs"), ("gs://bucket", "gcsfs"), ("abfs://b", "adlfs")]
    )
    def test_a_driver_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch, url: str, package: str) -> None:
        """Without the driver of a store, the error names the package."""
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UsageError, match=f"there is no driver for {url.partition(':')[0]}") as caught:
            write_fleet([DIALS], url)
        assert package in (caught.value.hint or "")

    @pytest.mark.parametrize("place", ["", "nonsense://x"])
    def test_no_place(self, place: str) -> None:
        """A place that cannot be one is a user's mistake."""
        with pytest.raises(UsageError):
            write_fleet([DIALS], place)
        with pytest.raises(UsageError):
            list(read_fleet(place))


@pytest.mark.parametrize(("library", "place"), [("pyarrow", "x.parquet"), ("fsspec", "memory://x")])
def test_without_the_extra(library: str, place: str) -> None:
    """Where a library of the extra is missing, the error says which, and the command that installs it."""
    code = (
        f"import sys; sys.modules[{library!r}] = None\nfrom portulan.errors import UsageError\ntry:\n"
        f"  from portulan.observe.fleet import write_fleet\n  write_fleet([], {place!r})\n"
        "except UsageError as error: print(error.message, error.hint, sep='|')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    message, hint = done.stdout.strip().split("|")
    assert message.endswith(f"needs the library {library}")
    assert hint == "pip install 'portulan[fleet]'"


def test_the_documentation_has_the_columns() -> None:
    """docs/fleet.md lists the columns, in their order, with every part of theirs."""
    page = (ROOT / "docs" / "fleet.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))
    assert [*rows] == TABLE.names
    assert rows == {field.name: _said_of(field.type) for field in TABLE}


def _said_of(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_said_of(kind.value_type)}"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_struct(kind):
        parts = [(part.name, _said_of(part.type)) for part in kind]
        return "struct: " + ", ".join(f"{name} ({said})" if ":" in said else f"{name} {said}" for name, said in parts)
    return str(kind)


# --------------------------------------------------------------------------------------------------------- many at once

IN_NAMESPACES = ("unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
HOSTS = 20
KILLED_OF_THEM = 6
ROUNDS = 3


class Machine:
    """A process with a host name, a network and processes of its own."""

    def __init__(self, name: str, folder: Path, mode: str) -> None:
        """Start it, and learn on which ports it listens."""
        self.name = name
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
        self.process = subprocess.Popen(
            [*IN_NAMESPACES, sys.executable, "-m", "tests.observe.machine", name, str(folder), mode],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ports: list[int] = self.hear()

    def hear(self) -> Any:  # noqa: ANN401  # whatever JSON has
        """Return what it says next."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def go(self) -> None:
        """Let it write."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> list[str]:
        """Kill it, if it is still there; return the lines that it had said since."""
        self.process.kill()  # unshare, which takes the machine with it
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        said = "" if self.process.stdout.closed else self.process.stdout.read()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)
        return [line for line in said.splitlines(keepends=True) if line.endswith("\n")]


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    """Give a list of machines that are ended with the test."""
    started: list[Machine] = []
    yield started
    for machine in started:
        machine.end()


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces")
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs the program unshare")
def test_twenty_machines_write_into_one_folder(tmp_path: Path, machines: list[Machine]) -> None:
    """Twenty machines write at once and some are killed while they do, repeatedly: nothing is lost or half-written.

    Whoever ended well is there with each of its listeners and their owner; each file that a machine had named before it
    was killed is there; and whoever reads meanwhile, or afterwards, sees whole files only.
    """
    moments = random.Random(4)  # noqa: S311  # moments, no secrets
    folder = tmp_path / "fleet"
    folder.mkdir()
    well = [Machine(f"host{number}", folder, "once") for number in range(HOSTS - KILLED_OF_THEM)]
    machines.extend(well)
    named: list[str] = []
    for turn in range(ROUNDS):
        victims = [Machine(f"victim{number}", folder, "again") for number in range(KILLED_OF_THEM)]
        machines.extend(victims)
        for machine in [*victims, *(well if turn == 0 else [])]:
            machine.go()
        for victim in victims:
            named += victim.hear()
            time.sleep(moments.uniform(0, 0.05))  # the moment is the test's point, and any will do
            named += [path for line in victim.end() for path in json.loads(line)]
        assert not bad_in(folder)
    for machine in well:
        code, said = machine.hear()
        assert code in CODES, said
    found = read(folder)
    for machine in well:
        # The namespaces of the others are on this machine too, and the command looks into all that it can.
        mine = [row for row in found if row.host == machine.name and row.network_namespace_name is None]
        listening = [row for row in mine if row.direction == "listen"]
        assert sorted(row.local.port for row in listening) == sorted(machine.ports)
        assert {process.pid for row in listening for process in row.processes} == {1}
    assert len(named) >= ROUNDS * KILLED_OF_THEM
    for path in named:
        assert len(read(path)) == LISTENERS
    left = [name for name in files_in(folder) if name.startswith(".writing/")]
    assert len(left) <= ROUNDS * KILLED_OF_THEM, "only who was killed leaves something behind"
