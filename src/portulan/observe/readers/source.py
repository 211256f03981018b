"""What a reader reads: one file of somebody else's observations, from its beginning to its end, and once.

The file may be a pipe, compressed with gzip, in UTF-16 (PowerShell writes it) or no text at all; it may be larger than
the memory. A reader sees its head, to tell whether it knows the format, and then lines with their numbers.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from portulan.errors import ReadError
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

HEAD = 65_536
"""How many bytes a format is told by."""
LONGEST_LINE = 1_048_576
"""Characters of a line; nothing that can be read has a longer one, and what has is not kept in memory."""
_GZIP = b"\x1f\x8b"


class Bad(Value):
    """A record that could not be read, where it stands (line 0: nowhere in particular) and why."""

    line: int
    why: str


class Source:
    """One file that is being read. `head` is its beginning as text, `name` what the user calls it.

    `host` is the machine that the user says it is about, or None; `observed_at` the time at which it was written: that
    of the file, or now for a pipe. `path` is None for a pipe.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        *,
        path: Path | None = None,
        host: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Take an open file; it is closed with the source. `at` overrides the time of the file."""
        self.name = name
        self.path = path
        self.host = host
        self.observed_at = at or _time_of(path)
        self.size = path.stat().st_size if path is not None else None
        self._counted = _Counted(stream)
        self._binary: io.BufferedReader[io.RawIOBase] = io.BufferedReader(self._counted, HEAD)
        if self._counted.starts_with(_GZIP):
            self._binary = io.BufferedReader(_Unzipped(self._binary, name), HEAD)
        start = self._binary.peek(HEAD)[:HEAD]
        self.encoding = _encoding_of(start)
        self.head = start.decode(self.encoding, "replace")

    @property
    def bytes_read(self) -> int:
        """How much of the file has been read, before it was decompressed."""
        return self._counted.done

    @property
    def binary(self) -> BinaryIO:
        """The file as bytes, decompressed, for a format that says its encoding itself (XML)."""
        return self._binary

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines with their numbers, from 1, without their ends; of one that is too long, its beginning.

        What is not text in the file's encoding becomes U+FFFD.
        """
        text = io.TextIOWrapper(self._binary, self.encoding, "replace", newline=None)
        number = 0
        while line := text.readline(LONGEST_LINE):
            number += 1
            complete = line.endswith("\n")
            yield number, line.rstrip("\n")
            while not complete and (rest := text.readline(LONGEST_LINE)):
                complete = rest.endswith("\n")

    def text(self, most: int) -> str:
        """Return the whole file as text. Raises ReadError where it has more than so many bytes."""
        data = self._binary.read(most + 1)
        if len(data) > most:
            message = f"{self.name}: too large for a file of its kind"
            raise ReadError(message, hint=f"at most {most:,} bytes are read")
        return data.decode(self.encoding, "replace").replace("\r\n", "\n")

    def close(self) -> None:
        """Close the file, unless it is standard input."""
        if self._counted.stream is not sys.stdin.buffer:
            self._counted.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(name: str, *, host: str | None = None, at: datetime | None = None) -> Source:
    """Open a file by its path, or standard input as `-`. Raises OSError where it cannot be."""
    if name == "-":
        return Source(sys.stdin.buffer, "standard input", host=host, at=at)
    path = Path(name)
    return Source(path.open("rb"), name, path=path if path.is_file() else None, host=host, at=at)


class _Counted(io.RawIOBase):
    """Reads a stream, whose beginning it has looked at, and counts."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.stream = stream
        self.done = 0
        self._start = memoryview(_read_full(stream, HEAD))

    def starts_with(self, prefix: bytes) -> bool:
        return bytes(self._start[: len(prefix)]) == prefix

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer)
        data = self._start[: len(room)] if self._start else memoryview(self.stream.read(len(room)) or b"")
        self._start = self._start[len(data) :]
        room[: len(data)] = data
        self.done += len(data)
        return len(data)


class _Unzipped(io.RawIOBase):
    """Reads what gzip compressed; damage is an error of the file and not of the program."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        super().__init__()
        self._file = gzip.GzipFile(fileobj=stream)
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer)
        try:
            data = self._file.read1(len(room))
        except (OSError, EOFError, zlib.error) as error:
            message = f"{self._name}: damaged gzip data: {error}"
            raise ReadError(message, hint="what comes before the damage was read; fetch the file again") from error
        room[: len(data)] = data
        return len(data)


def _read_full(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, or all there are: a pipe gives few at a time."""
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _encoding_of(start: bytes) -> str:
    """Tell the encoding by the byte order mark (Unicode, section 23.8); UTF-8 without one."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig"


def _time_of(path: Path | None) -> datetime:
    """Return when a file was written, to the second; now where there is none."""
    at = datetime.now(UTC) if path is None else datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return at.replace(microsecond=0)
