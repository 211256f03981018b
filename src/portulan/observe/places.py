"""Where Parquet files of many machines lie: one file, a folder, or the URL of a bucket.

A file is there whole or not at all, and no server is asked. In a folder it is written under a name that readers of
such folders pass over (a leading dot), reaches the disk, and then gets its name: rename(2) is atomic. What a writer
that was killed has left behind is removed by the next one of the same machine. A bucket gets a whole object, which its
store shows when it has all of it; where that is not so, as on SFTP, it is renamed there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from portulan.errors import PortulanError, ReadError, UsageError, WriteError
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import BinaryIO

SUFFIX = ".parquet"
_HIDDEN = (".", "_")
"""What the name of a file or folder that is no data begins with, by the custom of Hive and all who read its folders."""
_WRITING = ".writing"
_LEFT_BEHIND_S = 86_400
_DEEPEST = 8
_OBJECT_STORES = frozenset({"abfs", "abfss", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a"})
_BLOCK_BYTES = 1_048_576


class Place(Protocol):
    """Somewhere to write files to and to read them from. `is_file`: it is a single one, of the name ``""``."""

    is_file: bool

    def path(self, name: str) -> str:
        """Return what the user calls a file."""

    def writing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Give a file to write; it is there whole when the block has ended, and not at all when that failed.

        Raises WriteError.
        """

    def files(self) -> Iterator[str | Bad]:
        """Yield the files there are by name, sorted, and as `Bad` what cannot be listed. Raises ReadError."""

    def open(self, name: str) -> BinaryIO:
        """Open a file to read."""


def find_place(name: str) -> Place:
    """Return the place that a user names. Raises UsageError where it is none that anything here can reach."""
    scheme, is_url, rest = name.partition("://")
    if not name:
        message = "a place without a name"
        raise UsageError(message, hint="name a file that ends in .parquet, a folder or a URL")
    if not is_url:
        return _Folder(name)
    return _Folder(unquote(rest)) if scheme in {"file", "local"} else _Bucket(name)


class _Folder:
    """A folder, or a file if it is called like one."""

    def __init__(self, name: str) -> None:
        path = Path(name)
        self.is_file = path.suffix == SUFFIX and not path.is_dir()
        self._root = path

    def path(self, name: str) -> str:
        return str(self._root / name)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        path = self._root / name
        if self._root.is_file() and not self.is_file:
            message = f"{self._root} is a file"
            raise WriteError(message, hint="name a folder, or a file that ends in .parquet")
        if self.is_file:
            hidden, mark = path.parent, f".{path.name}="
        else:
            hidden, mark = self._root / _WRITING, f"{path.parent.name}="
        staged = hidden / f"{mark}{secrets.token_hex(8)}.part"
        try:
            _make_folder(hidden)
            _sweep(hidden, mark)
            with staged.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _make_folder(path.parent)
            staged.replace(path)
            _sync(path.parent)
        except OSError as error:
            message = f"{path}: {error.strerror or error}"
            raise WriteError(message, hint="nothing was left there half-written") from error
        finally:
            with contextlib.suppress(OSError):
                staged.unlink()

    def files(self) -> Iterator[str | Bad]:
        if not self._root.exists():
            message = f"there is no {self._root}"
            raise ReadError(message, hint="name a Parquet file, or a folder of such")
        return iter([""]) if self.is_file or self._root.is_file() else _walk(self._list, "")

    def open(self, name: str) -> BinaryIO:
        return (self._root / name).open("rb")

    def _list(self, folder: str) -> list[tuple[str, bool]]:
        with os.scandir(self._root / folder) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


class _Bucket:
    """What fsspec reaches by a URL."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec  # noqa: PLC0415  # who names no URL needs none
        except ImportError as error:
            message = "a URL needs the library fsspec"
            raise UsageError(message, hint="pip install 'portulan[fleet]'") from error
        scheme = url.partition("://")[0]
        try:
            self._files, root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:  # fsspec's words name the package: "Install s3fs to access S3"
            message = f"{url}: there is no driver for {scheme}"
            raise UsageError(message, hint=str(error).partition("\n")[0]) from error
        except Exception as error:
            raise _failed(UsageError, url, error) from error
        self.is_file = url.endswith(SUFFIX)
        self._url = url.rstrip("/")
        self._root = root.rstrip("/")
        self._is_object_store = scheme in _OBJECT_STORES

    def path(self, name: str) -> str:
        return f"{self._url}/{name}" if name else self._url

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        with tempfile.NamedTemporaryFile(prefix="portulan-", suffix=SUFFIX) as file:
            yield file  # type: ignore[misc]  # a file in all but its class
            file.flush()
            try:
                self._put(file.name, f"{self._root}/{name}".rstrip("/"))
            except Exception as error:
                raise _failed(WriteError, self.path(name), error) from error

    def _put(self, staged: str, path: str) -> None:
        if self._is_object_store:
            self._files.put_file(staged, path)
            return
        folder, _, last = path.rpartition("/")
        hidden = f"{folder}/.{last}={secrets.token_hex(8)}.part"
        self._files.makedirs(folder, exist_ok=True)
        self._files.put_file(staged, hidden)
        self._files.mv(hidden, path)

    def files(self) -> Iterator[str | Bad]:
        try:
            self._files.invalidate_cache()
            is_there, is_file = self._files.exists(self._root), self._files.isfile(self._root)
        except Exception as error:
            raise _failed(ReadError, self._url, error) from error
        if not is_there:
            message = f"there is no {self._url}"
            raise ReadError(message, hint="name a Parquet file, or a folder of such")
        return iter([""]) if is_file else _walk(self._list, "")

    def open(self, name: str) -> BinaryIO:
        path = f"{self._root}/{name}".rstrip("/")
        file: BinaryIO = self._files.open(path, "rb", block_size=_BLOCK_BYTES)
        return file

    def _list(self, folder: str) -> list[tuple[str, bool]]:
        found: list[dict[str, Any]] = self._files.ls(f"{self._root}/{folder}".rstrip("/"), detail=True)
        named = [(one["name"].rstrip("/").rpartition("/")[2], one["type"] == "directory") for one in found]
        return [(name, is_folder) for name, is_folder in named if name]


# ---------------------------------------------------------------------------------------------------------------- both


def _walk(list_folder: Callable[[str], list[tuple[str, bool]]], folder: str) -> Iterator[str | Bad]:
    """Yield the data files in a folder and those below it; a folder's list is in memory at a time, and its parents'."""
    try:
        entries = sorted(list_folder(folder))
    except Exception as error:  # noqa: BLE001  # drivers have errors of their own; the other folders are read
        yield Bad(0, f"{folder or 'the folder'}: {say_why(error)}")
        return
    for name, is_folder in entries:
        if name.startswith(_HIDDEN):
            continue
        if is_folder and folder.count("/") < _DEEPEST:
            yield from _walk(list_folder, f"{folder}{name}/")
        elif is_folder:
            yield Bad(0, f"{folder}{name}: more folders in folders than are looked into")
        elif name.endswith(SUFFIX):
            yield folder + name


def _failed(kind: type[PortulanError], name: str, error: Exception) -> PortulanError:
    return kind(f"{name}: {say_why(error)}", hint="can it be reached, and may you use it?")


def say_why(error: Exception) -> str:
    """Return what an error says, on one line."""
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.partition("\n")[0][:200] or type(error).__name__


def _sweep(folder: Path, mark: str) -> None:
    """Remove what this machine began to write long ago: by its own clock, as another's may be wrong."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        before = time.time() - _LEFT_BEHIND_S
        for entry in entries:
            if entry.name.startswith(mark) and entry.name.endswith(".part") and entry.stat().st_mtime < before:
                os.unlink(entry.path)  # noqa: PTH108  # beside scandir


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; others may do so at the same time."""
    for path in [path for path in (folder, *folder.parents) if not path.is_dir()][::-1]:
        path.mkdir(exist_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, on systems and file systems that can: the files are there already."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
