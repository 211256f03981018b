"""Snapshots: taking another one, keeping the former, and what differs between two."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

import pytest

from portulan.errors import NotFound, RegistryError, UsageError
from portulan.model import replace
from portulan.registry import snapshots
from portulan.registry.build import IANA
from portulan.registry.iana import COLUMNS, parse_csv, state_of
from portulan.registry.index import INDEX_NAME, SEARCH_NAME, open_index, packaged_folder
from portulan.registry.search import search

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.model import Assignment

NEWEST = IANA / "2026-02.csv"
OLDEST = IANA / "2020-07.csv"


def tree(folder: Path) -> dict[str, bytes]:
    """Return everything in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


# -------------------------------------------------------------------------------------------------------------- info


def test_the_packaged_snapshot_is_told(data_folder: Path) -> None:
    """Without an update the answers come from what came with the package; its age is counted from its date."""
    told = snapshots.info(date(2026, 3, 1))
    assert (told.snapshot, told.age_days, told.rows, told.packaged) == ("2026-02", 28, 14499, True)
    assert (told.former, told.ignored) == (None, None)
    assert told.path.startswith(packaged_folder())
    assert snapshots.info(date(2020, 1, 1)).age_days == 0
    assert not data_folder.exists()


# ------------------------------------------------------------------------------------------------------------ update


@pytest.mark.slow  # builds the whole index
def test_an_update_answers_and_keeps_the_former(data_folder: Path, tmp_path: Path) -> None:
    """After an update all look-ups come from it; the snapshot before is kept, and kept again at the next."""
    changed = tmp_path / "changed.csv"
    text = NEWEST.read_text("utf-8")
    changed.write_text(text.replace("ncr-ccl,2528,tcp,", "ncr-new,2528,tcp,"), "utf-8")
    told = snapshots.update(str(changed), snapshot="2026-11-20")
    assert (told.snapshot, told.rows, told.packaged, told.former) == ("2026-11-20", 14499, False, "2026-02")
    assert told.source == str(changed)
    assert {row.service_name for row in open_index().entry(2528).on("tcp").assignments} == {"ncr-new", "ncr_ccl"}
    assert search("ncr-new")[0].name == "ncr-new"
    assert sorted(tree(data_folder)) == ["current.csv", "former.csv", INDEX_NAME, SEARCH_NAME, "snapshots.json"]
    assert parse_csv((data_folder / "former.csv").read_bytes()) == parse_csv(NEWEST.read_bytes())
    again = snapshots.update(str(NEWEST), force=True)
    assert (again.snapshot, again.former) == ("2026-02", "2026-11-20")
    difference = snapshots.diff("former", "current")
    assert (difference.before, difference.after) == ("2026-11-20", "2026-02")
    assert [row.service_name for row in difference.added] == ["ncr-ccl"]
    assert [row.service_name for row in difference.removed] == ["ncr-new"]


@pytest.mark.slow  # builds the whole index
def test_an_update_from_xml_has_its_date(data_folder: Path, tmp_path: Path, rows: list[Assignment]) -> None:
    """The date of a snapshot is as given, else as the XML says, else that of the newest row."""
    assert snapshots.newest_date(rows) == "2026-02"
    xml = tmp_path / "registry.xml"
    xml.write_bytes(as_xml(rows))
    told = snapshots.update(str(xml))
    assert (told.snapshot, told.rows) == ("2026-02-21", 14499)
    assert len(tree(data_folder)) == 5


@pytest.mark.slow  # builds the whole index
def test_xml_and_csv_are_the_same_registry(tmp_path: Path, rows: list[Assignment]) -> None:
    """The XML form of the registry differs in nothing from its CSV form."""
    xml = tmp_path / "registry.xml"
    xml.write_bytes(as_xml(rows))
    difference = snapshots.diff(str(NEWEST), str(xml))
    assert (difference.added, difference.removed, difference.changed) == ((), (), ())
    assert difference.after == "2026-02-21"


def as_xml(rows: list[Assignment]) -> bytes:
    """Write rows as IANA writes its XML."""
    from xml.sax.saxutils import escape, quoteattr  # noqa: PLC0415  # only here

    def people(text: str | None) -> str:
        inner = (text or "").removeprefix("[").removesuffix("]")
        return "".join(f'<xref type="person" data={quoteattr(name)}/>' for name in inner.split("][")) if inner else ""

    def documents(text: str | None) -> str:
        inner = (text or "").removeprefix("[").removesuffix("]")
        return "".join(f'<xref type="text">{escape(name)}</xref>' for name in inner.split("][")) if inner else ""

    def element(name: str, text: object) -> str:
        return f"<{name}>{escape(str(text))}</{name}>" if text else ""

    lines = [
        '<registry xmlns="http://www.iana.org/assignments" id="service-names-port-numbers">',
        "<updated>2026-02-21</updated>",
    ]
    for row in rows:
        dates = "".join(
            f' {name}="{value}"'
            for name, value in (("date", row.registration_date), ("updated", row.modification_date))
            if value
        )
        ports = "" if row.ports is None else f"<number>{row.ports.first}-{row.ports.last}</number>"
        assignee = f"<assignee>{people(row.assignee)}</assignee>" if row.assignee != row.contact else ""
        lines.append(
            f"<record{dates}>{element('name', row.service_name)}{element('protocol', row.transport)}{assignee}"
            f"{people(row.contact)}{element('description', row.description)}{ports}{documents(row.reference)}"
            f"{element('sc', row.service_code)}{element('unauthorized', row.unauthorized_use_reported)}"
            f"{element('note', row.assignment_notes)}</record>"
        )
    return "\n".join([*lines, "</registry>"]).encode()


HEADER = ",".join(COLUMNS) + "\n"


BAD = {
    "empty": (b"", "empty"),
    "header": (HEADER.encode(), "assigns no port"),
    "binary": (b"\x1f\x8b\x08binary\x00\xff", "not UTF-8"),
    "cut in a row": (NEWEST.read_bytes()[:700_000], ""),
    "cut after a row": (b"\n".join(NEWEST.read_bytes().split(b"\n")[:9000]) + b"\n", ""),
    "shrunk": (HEADER.encode() + b"ssh,22,tcp,,,,,,,,,\n", "has 1 rows, the current snapshot 14499"),
    "bomb": (b"<!DOCTYPE registry [<!ENTITY a 'b'>]><registry/>", "document type"),
    "another registry": (b"<registry/>", "outermost element"),
}


def test_a_bad_file_leaves_everything_as_it_was(data_folder: Path, tmp_path: Path) -> None:
    """Empty, cut off, shrunk, binary or foreign: a RegistryError with a hint, and the snapshot in use stays."""
    snapshots.update(str(NEWEST))
    before = tree(data_folder)
    bad = tmp_path / "bad"
    for what, (data, why) in BAD.items():
        bad.write_bytes(data)
        with pytest.raises(RegistryError) as caught:
            snapshots.update(str(bad))
        assert why in caught.value.message, what
        assert caught.value.hint
    assert tree(data_folder) == before


@pytest.mark.slow  # builds the whole index
def test_a_shrunk_snapshot_is_taken_only_by_force(data_folder: Path, tmp_path: Path, rows: list[Assignment]) -> None:
    """Six percent fewer rows are refused, and taken with force; four percent fewer are taken."""
    less = tmp_path / "less.csv"
    less.write_text(snapshots.render_csv(rows[: int(len(rows) * 0.94)]), "utf-8")
    with pytest.raises(RegistryError, match="13629 rows") as caught:
        snapshots.update(str(less))
    assert "--force" in (caught.value.hint or "")
    assert not (data_folder / INDEX_NAME).exists()
    assert snapshots.update(str(less), force=True).rows == 13629
    fewer = tmp_path / "fewer.csv"
    fewer.write_text(snapshots.render_csv(rows[: int(13629 * 0.96)]), "utf-8")
    assert snapshots.update(str(fewer), snapshot="2026-03").former is not None


def test_fewer_rows_under_the_same_date_are_taken_only_by_force(tmp_path: Path, rows: list[Assignment]) -> None:
    """A snapshot of the same month that has lost a row is likely cut off."""
    fewer = tmp_path / "fewer.csv"
    fewer.write_text(snapshots.render_csv(rows[:-1]), "utf-8")
    for given in (None, "2026-02-20"):
        with pytest.raises(RegistryError, match="like the current snapshot, and has fewer rows, by 1") as caught:
            snapshots.update(str(fewer), snapshot=given)
        assert "--force" in (caught.value.hint or "")


def test_an_older_snapshot_is_taken_only_by_force(data_folder: Path) -> None:
    """A file older than the snapshot in use is refused, whoever says its date."""
    for source, given in ((IANA / "2025-11.csv", None), (NEWEST, "2025-11-30"), (NEWEST, "2026-01")):
        with pytest.raises(RegistryError, match="older than the current snapshot of 2026-02") as caught:
            snapshots.update(str(source), snapshot=given)
        assert "--force" in (caught.value.hint or "")
        assert tree(data_folder) == {}


@pytest.mark.slow  # builds the whole index
def test_a_month_is_not_older_than_its_days(data_folder: Path) -> None:
    """2026-02 and 2026-02-01 may follow each other; with force anything may follow."""
    assert snapshots.update(str(NEWEST), snapshot="2026-02-01").snapshot == "2026-02-01"
    assert snapshots.update(str(NEWEST)).snapshot == "2026-02"
    assert snapshots.update(str(IANA / "2025-11.csv"), force=True).former == "2026-02"
    assert sorted(tree(data_folder)) == ["current.csv", "former.csv", INDEX_NAME, SEARCH_NAME, "snapshots.json"]


@pytest.mark.parametrize(
    "snapshot", ["", "yesterday", "2026-13", "2026-2", "2026-02-30x", "2026-02-31", "9999-01", "20260214", "2026-W07"]
)
def test_a_date_that_is_none_is_refused(data_folder: Path, snapshot: str) -> None:
    """The label of a snapshot is a month or a day."""
    with pytest.raises(UsageError):
        snapshots.update(str(NEWEST), snapshot=snapshot)
    assert not data_folder.exists()


@pytest.mark.slow  # builds the whole index
def test_an_update_mends_a_damaged_index(data_folder: Path) -> None:
    """Where the user's own index cannot be used, taking a snapshot again makes it whole."""
    snapshots.update(str(NEWEST))
    (data_folder / INDEX_NAME).write_bytes((data_folder / INDEX_NAME).read_bytes()[:-1])
    assert snapshots.info().packaged is True
    assert "registry update" in (getattr(open_index().ignored, "hint", None) or "")
    assert snapshots.update(str(NEWEST)).packaged is False


@pytest.mark.slow  # builds the whole index
def test_after_an_upgrade_the_newer_snapshot_answers(
    data_folder: Path, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index built beside another version of the package counts only if its snapshot is newer; else that is told."""
    package = tmp_path / "package"
    shutil.copytree(built, package)
    monkeypatch.setattr("portulan.registry.index.packaged_folder", lambda: str(package))
    monkeypatch.setattr("portulan.registry.snapshots.packaged_folder", lambda: str(package))
    snapshots.update(str(IANA / "2025-11.csv"), force=True)
    assert open_index().snapshot == "2025-11"
    os.utime(package / INDEX_NAME, (1, 1))
    assert open_index().path == f"{package}/{INDEX_NAME}"
    assert "2025-11" in (snapshots.info().ignored or "")
    snapshots.update(str(NEWEST), snapshot="2026-10")
    os.utime(package / INDEX_NAME, (2, 2))
    assert open_index().path == f"{data_folder}/{INDEX_NAME}"


# ------------------------------------------------------------------------------------------------- folders and disks


def test_without_a_home_folder_an_update_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere to write is an error with a hint, before anything is read."""
    monkeypatch.delenv("PORTULAN_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(RegistryError, match="no home folder") as caught:
        snapshots.update(str(NEWEST))
    assert "PORTULAN_DATA" in (caught.value.hint or "")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the data folder should be is an error with a hint."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PORTULAN_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(RegistryError, match="cannot be made"):
        snapshots.update(str(NEWEST))


UPDATE = """
import sys
from portulan.errors import RegistryError
from portulan.registry import snapshots
try:
    snapshots.update(sys.argv[1], force=True)
except RegistryError as error:
    print(error.message, "|", error.hint)
    sys.exit(2)
"""


@pytest.mark.slow  # builds the whole index
def test_a_full_disk_leaves_the_former_intact(data_folder: Path) -> None:
    """Where files cannot grow as far as they must, nothing of the snapshot in use is touched."""
    snapshots.update(str(IANA / "2025-11.csv"), force=True)
    before = tree(data_folder)

    def no_large_files() -> None:
        import resource  # noqa: PLC0415  # POSIX only, in the child only

        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    words = [sys.executable, "-c", UPDATE, str(NEWEST)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, preexec_fn=no_large_files
    )  # no threads here
    assert (done.returncode, done.stderr) == (2, "")
    assert "cannot be written" in done.stdout
    assert "still in use" in done.stdout
    assert tree(data_folder) == before


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="mounting a small disk needs root")
def test_a_really_full_disk_leaves_the_former_intact(tmp_path: Path) -> None:
    """On a file system of twelve megabytes that holds one snapshot, the second does not fit and the first stays."""
    script = (
        f"mount -t tmpfs -o size=14m none {tmp_path} && export PORTULAN_DATA={tmp_path}/data"
        f' && {sys.executable} -c "$0" {IANA / "2025-11.csv"} && ls -A {tmp_path}/data'
        f' && cksum {tmp_path}/data/* && {sys.executable} -c "$0" {NEWEST};'
        f" echo $?; ls -A {tmp_path}/data && cksum {tmp_path}/data/*"
    )
    words = ["unshare", "-m", "sh", "-c", script, UPDATE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    before, after = done.stdout.split("the snapshot cannot be written")
    assert "No space left on device" in after or "full" in after
    assert after.split("\n")[1] == "2"
    assert before.strip().split("\n") == after.strip().split("\n")[2:]


# -------------------------------------------------------------------------------------------------------------- diff


def assigned(row: Assignment) -> bool:
    """Tell whether a row assigns a port."""
    return row.ports is not None and state_of(row) == "assigned"


def test_what_changed_since_2020_is_what_the_census_counted() -> None:
    """Assigned rows with a port: 130 added, 51 removed less one that assigned nothing, 138 changed, by field."""
    found = snapshots.diff("2020-07", "2026-02")
    changed = [change for change in found.changed if assigned(change.after)]
    assert sum(assigned(row) for row in found.added) == 130
    assert sum(assigned(row) for row in found.removed) == 51 - 1
    assert len(changed) == 138
    fields = [field for change in changed for field in change.fields]
    assert {field: fields.count(field) for field in set(fields)} == {
        "modification_date": 103,
        "assignee": 91,
        "contact": 67,
        "reference": 43,
        "description": 14,
        "registration_date": 5,
        "unauthorized_use_reported": 5,
    }


def test_a_snapshot_does_not_differ_from_itself() -> None:
    """Equal is equal."""
    found = snapshots.diff("2026-02", str(NEWEST))
    assert (found.added, found.removed, found.changed) == ((), (), ())


def test_differences_are_ordered_and_opposite() -> None:
    """What one direction adds, the other removes; rows stand by port."""
    there, back = snapshots.diff("2025-11", "2026-02"), snapshots.diff("2026-02", "2025-11")
    assert (there.added, there.removed) == (back.removed, back.added)
    assert {change.fields for change in there.changed} == {change.fields for change in back.changed}
    ports = [row.ports.first if row.ports else 1 << 16 for row in there.added]
    assert ports == sorted(ports)
    assert "ollama" in {row.service_name for row in there.added}


@pytest.mark.parametrize("name", ["2019-01", "former", "/no/such/file", "..", "../iana/2020-07", ""])
def test_a_snapshot_that_is_not_there_is_said(data_folder: Path, name: str) -> None:
    """An unknown name is an error that tells the known ones; a folder is no snapshot."""
    with pytest.raises((NotFound, RegistryError)) as caught:
        snapshots.diff(name, "current")
    assert caught.value.hint
    assert not data_folder.exists()


def test_rows_go_to_a_file_and_back(rows: list[Assignment]) -> None:
    """What is written as IANA's CSV is read as the same rows."""
    assert parse_csv(snapshots.render_csv(rows).encode()) == rows


@pytest.mark.slow  # builds the whole index
def test_damaged_notes_are_no_error(data_folder: Path) -> None:
    """The notes are labels; without them the snapshot still answers, and what only they said is unknown."""
    snapshots.update(str(NEWEST))
    for notes in ("", "[]", "{}", json.dumps({"current": 1, "former": {"snapshot": []}}), "\x00", "[" * 100_000):
        (data_folder / "snapshots.json").write_text(notes)
        told = snapshots.info()
        assert (told.snapshot, told.source, told.former) == ("2026-02", "unknown", "unknown")
        assert snapshots.read_snapshot("former")[1]
    (data_folder / "former.csv").unlink()
    assert snapshots.info().former is None


@pytest.mark.slow  # builds the whole index
def test_a_damaged_snapshot_is_said(data_folder: Path) -> None:
    """Whatever becomes of the rows of a snapshot in the data folder, the error names the file and what to do."""
    snapshots.update(str(NEWEST))
    current = data_folder / "current.csv"
    whole = current.read_bytes()
    for data in (whole + b"a\rb", whole + b"a\rb\n", whole[:-9], b"", whole + b'"' + b"x" * 200_000 + b'",\n'):
        current.write_bytes(data)
        for ask in (snapshots.info, lambda: snapshots.diff("current", "2026-02")):
            with pytest.raises(RegistryError) as caught:
                ask()
            assert caught.value.message.startswith(f"{current} is damaged: ")
            assert "registry update" in (caught.value.hint or "")
    current.unlink()
    with pytest.raises(RegistryError, match="cannot be read"):
        snapshots.info()
    assert snapshots.update(str(NEWEST)).rows == 14499


# ------------------------------------------------------------------------------------- what is kept, and what is not


@pytest.mark.slow  # builds the whole index
def test_the_same_again_keeps_the_former(data_folder: Path) -> None:
    """An update that changes no row leaves the former snapshot what it was; without one, the current is kept."""
    snapshots.update(str(IANA / "2025-11.csv"), force=True)
    assert snapshots.update(str(NEWEST)).former == "2025-11"
    assert snapshots.update(str(NEWEST), snapshot="2026-02-21").former == "2025-11"
    assert snapshots.read_snapshot("former") == ("2025-11", parse_csv((IANA / "2025-11.csv").read_bytes()))
    (data_folder / "former.csv").write_text("damaged")
    assert snapshots.update(str(NEWEST), snapshot="2026-02-22").former == "2026-02-21"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
@pytest.mark.parametrize("name", [INDEX_NAME, "current.csv"])
def test_the_snapshot_of_somebody_else_is_not_replaced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root with another user's HOME does not replace that user's snapshot; the hint says how to have one."""
    monkeypatch.delenv("PORTULAN_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".local" / "share" / "portulan"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"theirs")
    os.chown(folder / name, 12345, 12345)
    with pytest.raises(RegistryError, match="belongs to somebody else") as caught:
        snapshots.update(str(NEWEST))
    assert "PORTULAN_DATA" in (caught.value.hint or "")
    assert tree(folder) == {name: b"theirs"}


RECORD = "<record{}><name>a</name><number>1</number><protocol>tcp</protocol>{}</record>"


@pytest.mark.parametrize(
    "record",
    [
        RECORD.format(' date="2020&#13;-01"', ""),
        RECORD.format("", f'<xref type="text">{"x" * 1000}</xref>' * 200),
        RECORD.format("", '<xref type="person" data="a&#13;b"/>'),
    ],
    ids=["date", "long", "control"],
)
def test_what_could_not_be_read_again_is_not_installed(record: str, data_folder: Path, tmp_path: Path) -> None:
    """A registry that could be written and not read back is refused, and nothing of it is written."""
    xml = tmp_path / "registry.xml"
    xml.write_text(
        '<registry xmlns="http://www.iana.org/assignments" id="service-names-port-numbers">'
        f"<updated>2026-11-01</updated>{record}</registry>"
    )
    with pytest.raises(RegistryError, match="not IANA's registry"):
        snapshots.update(str(xml), force=True)
    assert tree(data_folder) == {}


def test_what_is_read_back_otherwise_is_not_installed(
    data_folder: Path, rows: list[Assignment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written the rows are read back from the CSV that will hold them, and must be the same."""
    odd = [replace(rows[0], aliases=("lost",)), *rows[1:]]
    monkeypatch.setattr(snapshots, "parse", lambda _data: (odd, None))
    with pytest.raises(RegistryError, match="could not be read again"):
        snapshots.update(str(NEWEST))
    assert tree(data_folder) == {}


def test_a_file_from_the_future_is_refused(data_folder: Path, tmp_path: Path, rows: list[Assignment]) -> None:
    """A snapshot that says itself that it is of a day to come is refused, with force too: nothing could follow it."""
    xml = tmp_path / "registry.xml"
    xml.write_bytes(as_xml(rows).replace(b"<updated>2026-02-21<", b"<updated>9999-02-21<"))
    with pytest.raises(RegistryError, match="9999-02-21, which is in the future") as caught:
        snapshots.update(str(xml), force=True)
    assert "--date" in (caught.value.hint or "")
    assert tree(data_folder) == {}
