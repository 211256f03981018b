"""Files that declare ports: compose files, manifests, units, configurations.

A format is a module here with the same names as one of `observe.readers`: FORMAT, SAYS, `recognise(head, name)` and
`read(source)`. Each number that is in force becomes an observation with perspective `declared`, the line it stands on
and a role: `published`, `admitted`, `internal`, `dialled` or `absent`.

Nothing is run and nothing is expanded but what the format itself defines, such as `${PORT:-8080}` in a compose file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.errors import ReadError
from portulan.model import Declaration, Endpoint, Observation, Process
from portulan.observe.readers import load
from portulan.observe.readers.source import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.model import Role, Transport
    from portulan.observe.readers import Reader
    from portulan.observe.readers.source import Source

__all__ = ["declare", "open_declared"]

NOT_FORMATS = frozenset(
    {"commands", "containers", "inforce", "javascript", "packetrules", "places", "positions", "pythons", "ruby"}
    | {"settings", "shell", "unitfiles"}
)
LARGEST_FILE = 4_000_000
"""Bytes: what somebody declares by hand is smaller, and what a machine has written is not read."""
LARGEST_RANGE = 65_536
NOT_SEARCHED = frozenset({".git", ".hg", ".svn", ".tox", ".venv", "node_modules", "__pycache__", "venv"})
"""Folders that hold other people's files, or none to declare anything."""


def declare(
    source: Source,
    line: int,
    port: int,
    role: Role,
    *,
    transport: Transport = "tcp",
    address: str | None = None,
    unit: str | None = None,
    interface: str | None = None,
    names: tuple[str, ...] = (),
    network_type: str | None = None,
) -> Observation:
    """Make the observation of one number. `address` is None where the file names none: then it is any address.

    What is dialled has the number at its peer, whose `address` may be a host's name, or a network. `names` are those of
    the programs that the file expects to hold it.
    """
    anywhere = Endpoint(address or "*", port)
    dialled = role == "dialled"
    return Observation(
        observed_at=source.observed_at,
        host=source.host,
        perspective="declared",
        direction="connect" if dialled else "listen",
        transport=transport,
        local=Endpoint("*", 0) if dialled else anywhere,
        peer=anywhere if dialled else None,
        socket_state=None,
        processes=tuple([Process(0, name, None, None, None, None) for name in names]),
        processes_missing=None if names else "not recorded",
        unit=unit,
        container=None,
        package=None,
        network_namespace=None,
        network_type=network_type,
        interface=interface,
        declaration=Declaration(source.name, line, role),
    )


def pass_over(name: str, error: OSError) -> None:
    """Do nothing about what may not be opened."""


def open_declared(
    folder: Path, refuse: Callable[[str, OSError], object] = pass_over
) -> Iterator[tuple[Source, Reader]]:
    """Open the files of a repository that declare ports, with their readers; what no reader knows is passed over.

    `refuse` is told of each file and folder that may not be opened: nobody can say what it declares.
    """
    readers = list(load(__name__, __path__, NOT_FORMATS))
    for path in find_files(folder, refuse):
        try:
            source = open_source(str(path))
        except OSError as error:
            refuse(str(path), error)
            continue
        except ReadError:  # damaged gzip data, which no file that declares is
            continue
        found = [reader for reader in readers if reader.recognise(source.head, source.name)]
        if len(found) == 1:
            yield source, found[0]
        else:
            source.close()


def find_files(folder: Path, refuse: Callable[[str, OSError], object] = pass_over) -> Iterator[Path]:
    """Yield the files of a repository, sorted, but for what lies in folders of other people's."""
    for place, folders, names in os.walk(folder, onerror=lambda error: refuse(str(error.filename), error)):
        folders[:] = sorted(set(folders) - NOT_SEARCHED)
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path
