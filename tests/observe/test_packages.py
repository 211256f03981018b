"""Which package a file belongs to: against the tools of a family where they are, else from text as it is specified."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.packages import Database, Owned, Packages, apk, dpkg, pacman, rpm
from portulan.observe.packages.cache import Cache
from portulan.observe.packages.wanted import Wanted, read_file
from tests.observe.debian import Debian

SHA1 = hashlib.sha1(b"program").hexdigest()  # noqa: S324  # what Alpine's database has
SHA256 = hashlib.sha256(b"program").hexdigest()

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg is not installed")
needs_rpm = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpm is not installed")


def key_of(path: Path) -> tuple[int, int, int]:
    """Return what a file is known by."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_mtime_ns


def find(database: Database, *paths: Path) -> dict[bytes, Owned | None]:
    """Ask a database for some files, without a cache."""
    return Packages(Cache(None), (database,)).find({os.fsencode(path): key_of(path) for path in paths})


# ------------------------------------------------------------------------------------------------------------ Debian


@needs_dpkg
def test_agrees_with_dpkg_on_this_machine() -> None:
    """Of many programs of this machine the package is the one that dpkg names, in whichever spelling dpkg has it."""
    if not Path("/var/lib/dpkg/status").exists():
        pytest.skip("this machine's packages are not dpkg's")
    here = [path for folder in ("/usr/bin", "/usr/sbin", "/usr/lib/systemd") for path in Path(folder).glob("*")]
    files = sorted(path for path in here if path.is_file() and not path.is_symlink())[::5]
    spellings = [name for path in files for name in (str(path), str(path).removeprefix("/usr"))]
    said = subprocess.run(["dpkg-query", "-S", *spellings], capture_output=True, text=True, check=False)
    expected = {}
    for line in said.stdout.splitlines():
        owner, _, listed = line.rpartition(": ")
        if not owner.startswith("diversion by"):
            expected[listed.removeprefix("/usr")] = owner.partition(",")[0].partition(":")[0]
    diverted = {line for line in Path("/var/lib/dpkg/diversions").read_text().splitlines() if line.startswith("/")}
    found = find(Database("dpkg", b"/var/lib/dpkg", (b"status",)), *files)
    compared = 0
    for path in files:
        if str(path) not in diverted:
            owned = found[os.fsencode(path)]
            assert (owned and owned.package) == expected.get(str(path).removeprefix("/usr")), path
            compared += owned is not None
    assert compared > 20


@needs_dpkg
def test_shell_of_this_machine() -> None:
    """A program that a package lists below /bin is found where the kernel says that it lies, below /usr/bin."""
    shell = Path("/bin/dash").resolve()
    if not shell.exists() or not Path("/var/lib/dpkg/info/dash.list").exists():
        pytest.skip("there is no dash of dpkg's here")
    owned = find(Database("dpkg", b"/var/lib/dpkg", (b"status",)), shell)[os.fsencode(shell)]
    assert owned == Owned("dash", f"md5:{hashlib.md5(shell.read_bytes()).hexdigest()}")  # noqa: S324  # what dpkg keeps


@needs_dpkg
def test_folder_that_is_a_link(tmp_path: Path) -> None:
    """A file is found through a folder that became a link after the package was made."""
    debian = Debian(tmp_path)
    debian.install("tool", "1", {"bin/tool": b"program"})
    (debian.root / "usr").mkdir()
    (debian.root / "bin").rename(debian.root / "usr" / "bin")
    (debian.root / "bin").symlink_to("usr/bin")
    program = debian.root / "usr" / "bin" / "tool"
    owned = find(debian.database, program)[os.fsencode(program)]
    assert owned is not None
    assert owned.package == "tool"
    assert owned.digest == f"md5:{hashlib.md5(b'program').hexdigest()}"  # noqa: S324  # what dpkg keeps


@needs_dpkg
def test_diversion(tmp_path: Path) -> None:
    """A diverted file is of the package that would have put it there; the one that diverted it owns the name."""
    debian = Debian(tmp_path)
    path = debian.root / "bin" / "tool"
    debian.divert("other", path, path.with_name("tool.distrib"))
    debian.install("tool", "1", {"bin/tool": b"diverted"})
    debian.install("other", "1", {"bin/tool": b"in its place"})
    assert path.with_name("tool.distrib").read_bytes() == b"diverted"
    found = find(debian.database, path, path.with_name("tool.distrib"))
    assert {os.fsdecode(name): owned and owned.package for name, owned in found.items()} == {
        str(path): "other",
        f"{path}.distrib": "tool",
    }
    digests = {owned and owned.digest for owned in found.values()}
    assert digests == {f"md5:{hashlib.md5(text).hexdigest()}" for text in (b"diverted", b"in its place")}  # noqa: S324


@needs_dpkg
def test_a_file_of_no_package(tmp_path: Path) -> None:
    """A file that no package lists has none, also if its name is listed elsewhere."""
    debian = Debian(tmp_path)
    debian.install("tool", "1", {"bin/tool": b"program"})
    stranger = tmp_path / "tool"
    stranger.write_bytes(b"program")
    assert find(debian.database, stranger) == {os.fsencode(stranger): None}


@needs_dpkg
def test_a_configuration_file_has_no_digest(tmp_path: Path) -> None:
    """What an administrator may change is of its package, and nothing says what it should contain."""
    debian = Debian(tmp_path)
    debian.install("tool", "1", {"etc/tool.sh": b"program"}, conffiles=True)
    path = debian.root / "etc" / "tool.sh"
    assert find(debian.database, path) == {os.fsencode(path): Owned("tool", None)}


@needs_dpkg
def test_every_list_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files are wanted, a list is read at most once, and likely ones before all others."""
    debian = Debian(tmp_path)
    for number in range(5):
        debian.install(f"tool{number}", "1", {f"bin/tool{number}": b"program"})
    debian.install("aardvark", "1", {"bin/aardvark": b"program"})
    read: list[bytes] = []

    def spy(path: bytes) -> bytes:
        read.append(path.rpartition(b"/")[2])
        return read_file(path)

    monkeypatch.setattr(dpkg, "read_file", spy)
    paths = [debian.root / "bin" / f"tool{number}" for number in range(5)]
    wanted = Wanted([os.fsencode(path) for path in paths])
    assert len(dpkg.find(wanted, debian.database.folder)) == 5
    lists = [name for name in read if name.endswith(b".list")]
    assert sorted(lists) == [b"tool%d.list" % number for number in range(5)]


def test_order_of_lists() -> None:
    """Lists of packages that share the first letters of a program's name come first."""
    entries = [b"adduser", b"nginx-core", b"openssh-server", b"zlib1g:amd64"]
    assert dpkg.order(entries, frozenset({b"sshd"}))[0] == b"openssh-server"
    assert dpkg.order(entries, frozenset({b"nginx"}))[0] == b"nginx-core"


# ------------------------------------------------------------------------------------------------------- Red Hat, SUSE


@needs_rpm
def test_rpm(tmp_path: Path) -> None:
    """The tool names the package and the digest; what may be changed has none, and a stranger has no package."""
    program, settings, stranger = (tmp_path / "root" / name for name in ("tool", "tool.conf", "stranger"))
    program.parent.mkdir()
    for path in (program, settings, stranger):
        path.write_bytes(b"program")
    spec = tmp_path / "tool.spec"
    spec.write_text(
        "Name: tool\nVersion: 1\nRelease: 1\nSummary: t\nLicense: t\nBuildArch: noarch\n%description\n%install\n"
        f"mkdir -p %{{buildroot}}{program.parent}\n"
        f"cp {program} {settings} %{{buildroot}}{program.parent}\n%files\n{program}\n%config {settings}\n"
    )
    definitions = {"_topdir": tmp_path, "__os_install_post": "%{nil}", "debug_package": "%{nil}"}
    defined = [word for name, value in definitions.items() for word in ("--define", f"{name} {value}")]
    database = tmp_path / "database"
    subprocess.run(["rpmbuild", "-bb", *defined, spec], check=True, capture_output=True)
    (package,) = tmp_path.rglob("*.rpm")
    words: list[str | Path] = ["-i", "--dbpath", database, "--justdb", "--nodeps", "--nosignature"]
    installed = subprocess.run(["rpm", *words, "--force-debian", package], check=False, capture_output=True)
    if installed.returncode:  # elsewhere rpm knows no such option
        subprocess.run(["rpm", *words, package], check=True, capture_output=True)
    files = (b"rpmdb.sqlite", b"Packages", b"Packages.db")
    found = find(Database("rpm", os.fsencode(database), files), program, settings, stranger)
    assert found == {
        os.fsencode(program): Owned("tool", f"sha256:{SHA256}"),
        os.fsencode(settings): Owned("tool", None),
        os.fsencode(stranger): None,
    }


@pytest.mark.parametrize(
    ("flags", "algorithm", "digest", "expected"),
    [
        (b"0", b"8", SHA256.encode(), f"sha256:{SHA256}"),
        (b"0", b"(none)", b"A" * 32, f"md5:{'a' * 32}"),
        (b"17", b"8", SHA256.encode(), None),
        (b"64", b"8", SHA256.encode(), None),
        (b"0", b"8", b"", None),
        (b"0", b"99", SHA256.encode(), None),
        (b"x", b"8", SHA256.encode(), None),
    ],
)
def test_digests_of_rpm(flags: bytes, algorithm: bytes, digest: bytes, expected: str | None) -> None:
    """A digest is believed with the length of its algorithm; configuration, ghosts and links have none."""
    assert rpm.parse_digest(flags, algorithm, digest) == expected


def test_a_program_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package manager that hangs, fails or is not there costs some time and no answer."""
    monkeypatch.setattr(rpm, "_TIMEOUT_S", 0)
    assert rpm.ask(b"/bin/sleep", [b"600"]) == b""
    with pytest.raises(ChildProcessError):  # it was ended, and nobody is left behind
        os.waitpid(-1, os.WNOHANG)
    monkeypatch.undo()
    assert rpm.ask(b"/bin/sh", [b"-c", b"echo said; exit 1"]) == b"said\n"
    assert rpm.ask(b"/nonexistent", []) == b""


# ------------------------------------------------------------------------------------------------------------- Alpine


def alpine(folder: Path, text: str) -> Database:
    """Write an installed database."""
    (folder / "installed").write_text(text)
    return Database("apk", os.fsencode(folder), (b"installed",))


def test_apk(tmp_path: Path) -> None:
    """The paragraph, the folder and the line behind a file tell its package and its checksum."""
    inside = str(tmp_path).lstrip("/")
    checksum = b64encode(bytes.fromhex(SHA1)).decode()
    database = alpine(
        tmp_path,
        f"C:Q1abc=\nP:other\nV:1-r0\nF:{inside}\nR:another\n\n"
        f"P:tool\nV:1-r0\nF:\nF:{inside}/bin\nM:0:0:755\nR:first\na:0:0:755\nZ:Q1AAAA=\n"
        f"R:tool\na:0:0:4755\nZ:Q1{checksum}\nR:bare\nF:{inside}/lib\nR:last\nZ:Q1{checksum}\n",
    )
    (tmp_path / "bin").mkdir()
    paths = [tmp_path / "bin" / name for name in ("tool", "bare", "last", "first")]
    for path in paths:
        path.touch()
    found = find(database, *paths)
    expected = [Owned("tool", f"sha1:{SHA1}"), Owned("tool", None), None, Owned("tool", None)]
    assert [found[os.fsencode(path)] for path in paths] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Q1" + b64encode(bytes.fromhex(SHA1)), f"sha1:{SHA1}"),
        (b"Q2" + b64encode(bytes.fromhex(SHA256)), f"sha256:{SHA256}"),
        (b"Q1" + b64encode(bytes.fromhex(SHA256)), None),
        (b"Q9" + b64encode(bytes.fromhex(SHA1)), None),
        (b"", None),
        (b"Q1!", None),
    ],
)
def test_checksums_of_apk(text: bytes, expected: str | None) -> None:
    """Q1 is SHA-1 and Q2 SHA-256, in base 64; anything else is not known."""
    assert apk.parse_checksum(text) == expected


# --------------------------------------------------------------------------------------------------------------- Arch


def test_pacman(tmp_path: Path) -> None:
    """The folder names the package, `files` its files and `mtree` their digests; names are escaped there."""
    inside = str(tmp_path).lstrip("/")
    local = tmp_path / "local" / "my-tool-1:2.0-3"
    local.mkdir(parents=True)
    backup = f"\n%BACKUP%\n{inside}/a b\t0123\n"
    (local / "files").write_text(f"%FILES%\n{inside}/\n{inside}/tool\n{inside}/a b\n{inside}/listed\n{backup}")
    lines = f"#mtree\n/set type=file uid=0\n./{inside}/tool mode=755 sha256digest={SHA256}\n"
    lines += f"./{inside}/a\\040b time=1.0 md5digest={'b' * 32}\n./{inside} type=dir\n"
    (local / "mtree").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "local" / "ALPM_DB_VERSION").write_text("9\n")
    paths = [tmp_path / name for name in ("tool", "a b", "listed", "stranger")]
    for path in paths:
        path.touch()
    found = find(Database("pacman", os.fsencode(tmp_path), (b"local",)), *paths)
    assert [found[os.fsencode(path)] for path in paths] == [
        Owned("my-tool", f"sha256:{SHA256}"),
        Owned("my-tool", f"md5:{'b' * 32}"),
        Owned("my-tool", None),
        None,
    ]


# ------------------------------------------------------------------------------------------------------ what is hostile


garbage = st.binary(max_size=300) | st.lists(
    st.sampled_from(
        (
            *(b"\n", b"\n\n", b"P:", b"F:", b"R:tool", b"Z:Q1", b"/x/tool", b"/tool", b"x/tool", b"%FILES%\n", b"\t"),
            *(b"  ", b"a" * 32, b"./x/tool", b" sha256digest=", b"\\07", b":", b"\0", b"\xff"),
        )
    ),
    max_size=30,
).map(b"".join)


@given(garbage)
def test_a_database_of_garbage(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in a database, there is an answer, and a digest in it is one."""
    folder = tmp_path_factory.getbasetemp() / "garbage"
    (folder / "info").mkdir(parents=True, exist_ok=True)
    (folder / "local" / "x-1-1").mkdir(parents=True, exist_ok=True)
    for name in ("diversions", "info/tool.list", "info/tool.md5sums", "installed", "local/x-1-1/files"):
        (folder / name).write_bytes(content)
    (folder / "local" / "x-1-1" / "mtree").write_bytes(gzip.compress(content) if len(content) % 2 else content)
    for family in (dpkg, apk, pacman):
        for owned in family.find(Wanted([b"/x/tool", b"/tool"]), os.fsencode(folder)).values():
            algorithm, _, digits = (owned.digest or "md5:0").partition(":")
            assert algorithm in {"md5", "sha1", "sha256"}
            assert int(digits, 16) >= 0


def test_names_with_line_feeds(tmp_path: Path) -> None:
    """A name that looks like several lines of a list is none of them."""
    (tmp_path / "info").mkdir()
    (tmp_path / "status").write_text("Package: tool\n")
    (tmp_path / "info" / "tool.list").write_bytes(b"/.\n/usr\n/usr/bin\n/usr/bin/env\n")
    names = [b"/tmp/bin\n/usr/bin/env", b"/usr\n/usr/bin\n/usr/bin/env", b"/x\t1\t2\t3\tpackage\n/usr/bin/env", b"/\n"]
    database = Database("dpkg", os.fsencode(tmp_path), (b"status",))
    found = Packages(Cache(None), (database,)).find(dict.fromkeys(names, (1, 2, 3)))
    assert found == dict.fromkeys(names)


def test_a_list_that_is_no_file(tmp_path: Path) -> None:
    """A pipe, a folder or a link into nowhere in place of a list is passed over, and nobody waits for it."""
    (tmp_path / "info").mkdir()
    os.mkfifo(tmp_path / "info" / "pipe.list")
    (tmp_path / "info" / "folder.list").mkdir()
    (tmp_path / "info" / "link.list").symlink_to("nowhere")
    assert dpkg.find(Wanted([b"/usr/bin/env"]), os.fsencode(tmp_path)) == {}


def test_a_huge_line(tmp_path: Path) -> None:
    """A line of megabytes is a line."""
    (tmp_path / "info").mkdir()
    (tmp_path / "info" / "tool.list").write_bytes(b"/" + b"x" * (1 << 22) + b"/env\n/usr/bin/env\n")
    found = dpkg.find(Wanted([b"/usr/bin/env"]), os.fsencode(tmp_path))
    assert found == {b"/usr/bin/env": Owned("tool", None)}


def test_no_database(tmp_path: Path) -> None:
    """Where there is no database nothing is said, which is not the same as that no package owns a file."""
    packages = Packages(Cache(None), (Database("dpkg", os.fsencode(tmp_path), (b"status",)),))
    assert not packages
    assert packages.find({b"/usr/bin/env": (1, 2, 3)}) == {}


def test_several_databases(tmp_path: Path) -> None:
    """What one database does not know the next is asked for."""
    inside = str(tmp_path).lstrip("/")
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        (tmp_path / f"tool-{folder.name}").touch()
    databases = tuple(alpine(folder, f"P:{folder.name}\nF:{inside}\nR:tool-{folder.name}\n") for folder in folders)
    paths = [tmp_path / f"tool-{folder.name}" for folder in folders]
    found = Packages(Cache(None), databases).find({os.fsencode(path): key_of(path) for path in paths})
    assert [owned and owned.package for owned in found.values()] == ["one", "other"]
