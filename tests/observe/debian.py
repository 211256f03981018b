"""A private dpkg: real packages, built and installed by dpkg into a folder of a test's own."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

from portulan.observe.packages import Database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Debian:
    """The files of its packages lie below `root`, by their full paths: dpkg's own root stays /."""

    def __init__(self, folder: Path) -> None:
        """Make an empty database."""
        self.root = folder / "root"
        self._build = folder / "build"
        self._admin = folder / "dpkg"
        for part in ("info", "updates", "triggers"):
            (self._admin / part).mkdir(parents=True)
        (self._admin / "status").touch()
        self.database = Database("dpkg", os.fsencode(self._admin), (b"status", b"diversions"))

    def install(
        self, package: str, version: str, files: Mapping[str, bytes | Path], *, conffiles: bool = False
    ) -> None:
        """Build a package of executable files and install it, or upgrade to it."""
        tree = self._build / f"{package}_{version}"
        sums = []
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            path = self.root / name
            inside = tree / str(path).lstrip("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.write_bytes(data)
            inside.chmod(0o755)
            sums.append(f"{hashlib.md5(data).hexdigest()}  {str(path).lstrip('/')}\n")  # noqa: S324  # what dpkg keeps
        control = tree / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(
            f"Package: {package}\nVersion: {version}\nArchitecture: all\nMaintainer: t\nDescription: t\n"
        )
        if conffiles:
            (control / "conffiles").write_text("".join(f"{self.root / name}\n" for name in files))
        else:
            (control / "md5sums").write_text("".join(sums))
        made = self._build / f"{package}_{version}.deb"
        _run("dpkg-deb", "--build", "-Znone", tree, made)
        log = f"--log={os.devnull}"
        _run("dpkg", "--force-not-root", "--force-bad-path", f"--admindir={self._admin}", log, "--install", made)

    def divert(self, package: str, listed: Path, to: Path) -> None:
        """Divert a file when it comes from any other package."""
        where = ("--divert", to, "--no-rename", "--add", listed)
        _run("dpkg-divert", "--admindir", self._admin, "--package", package, *where)


def _run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": _PATH, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
