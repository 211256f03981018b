"""A psutil that answers as it was written down for another system, since macOS and Windows cannot run here."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

FOLDER = Path(__file__).parents[1] / "data" / "observe" / "psutil"


class Address(NamedTuple):
    """An endpoint, as psutil has it."""

    ip: str
    port: int


class ProcessRow(NamedTuple):
    """A socket of a process, as psutil has it."""

    fd: int
    family: int
    type: int
    laddr: Address | tuple[()]
    raddr: Address | tuple[()]
    status: str


class SystemRow(NamedTuple):
    """A socket of the system, as psutil has it."""

    fd: int
    family: int
    type: int
    laddr: Address | tuple[()]
    raddr: Address | tuple[()]
    status: str
    pid: int | None


class Error(Exception):
    """The base of psutil's exceptions."""


class NoSuchProcess(Error):  # noqa: N818  # as psutil calls them
    """The process is gone."""


class ZombieProcess(NoSuchProcess):
    """The process has ended, and its parent has not asked how."""


class AccessDenied(Error):  # noqa: N818  # as above
    """The system refuses."""


RAISED: dict[str, type[Error]] = {error.__name__: error for error in (NoSuchProcess, ZombieProcess, AccessDenied)}


def answer(given: Any) -> Any:  # noqa: ANN401  # whatever JSON has
    """Return what was written down, or raise the exception that it names."""
    if isinstance(given, str) and given in RAISED:
        raise RAISED[given]
    return given


def rows(made: type[SystemRow | ProcessRow], given: Any) -> list[SystemRow | ProcessRow]:  # noqa: ANN401  # as above
    """Make the named tuples of some rows, with the numbers that this system has for families and types."""
    made_of: list[SystemRow | ProcessRow] = []
    for number, family, kind, local, peer, *rest in answer(given):
        ends = [Address(*end) if end else () for end in (local, peer)]
        made_of.append(made._make([number, getattr(socket, family), getattr(socket, kind), *ends, *rest]))
    return made_of


def read(name: str) -> dict[str, Any]:
    """Read what psutil says on a machine."""
    machine: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return machine


def module_of(machine: dict[str, Any]) -> ModuleType:
    """Make the module that answers so."""
    tables = [machine["net_connections"], machine.get("net_connections_again", machine["net_connections"])]
    processes = machine["processes"]

    class Process(RecordedProcess):
        """A process of this machine."""

        def __init__(self, pid: int) -> None:
            if str(pid) not in processes:
                raise NoSuchProcess
            self.facts = processes[str(pid)]

    def net_connections(_kind: str) -> list[SystemRow | ProcessRow]:
        return rows(SystemRow, tables.pop(0) if len(tables) > 1 else tables[0])

    module = ModuleType("psutil")
    vars(module).update(RAISED, Error=Error, Process=Process, net_connections=net_connections)
    vars(module)["pids"] = lambda: [int(pid) for pid in processes]
    return module


class RecordedProcess:
    """What psutil knows of a process; like psutil's own it guesses a program from the command line."""

    facts: dict[str, Any]
    oneshot = contextlib.nullcontext

    def __getattr__(self, fact: str) -> Callable[[], Any]:
        def ask() -> Any:  # noqa: ANN401  # as above
            return answer(self.facts[fact])

        return ask

    def cmdline(self) -> list[str]:
        """Return the command line."""
        words: list[str] = answer(self.facts["cmdline"])
        return words

    def exe(self) -> str:
        """Return the program, or guess it."""
        path: str = answer(self.facts["exe"])
        return path or next(iter(self.cmdline()), "")

    def net_connections(self, _kind: str) -> list[SystemRow | ProcessRow]:
        """Return the sockets of the process."""
        return rows(ProcessRow, self.facts["net_connections"])


def stand_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let this test run on such a machine, as far as psutil, the name of the system and its files tell."""
    machine = read(name)
    monkeypatch.setitem(sys.modules, "psutil", module_of(machine))
    monkeypatch.setattr("sys.platform", machine["platform"])
    monkeypatch.setattr("socket.gethostname", lambda: "there")
    if "euid" in machine:
        monkeypatch.setattr("os.geteuid", lambda: machine["euid"])
    real = os.stat
    there = set(_parts(machine))

    def stat(path: Any, **where: Any) -> os.stat_result:  # noqa: ANN401  # as os.stat does
        text = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        if text not in there:
            return real(path, **where)
        uid, mode = machine.get("files", {}).get(text, (0, "755"))
        return os.stat_result((int(mode, 8), 1, 1, 1, uid, 0, 0, 0, 0, 0))

    monkeypatch.setattr("os.stat", stat)


def _parts(machine: dict[str, Any]) -> Iterator[str]:
    """Yield the programs of a machine and the folders that they lie in, but for the root, which is the same here."""
    for facts in machine["processes"].values():
        path = facts["exe"]
        if path not in {"", *RAISED}:
            yield path
            yield from [str(parent) for parent in Path(path).parents if parent.name]
