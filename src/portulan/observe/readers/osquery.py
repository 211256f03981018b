"""Rows of osquery's tables `listening_ports` and `process_open_sockets`, alone or joined with `processes`.

They come from ``osqueryi --json`` and ``--csv``, and from the results log of osqueryd: differences (`added`; what was
`removed` is gone), batches and snapshots, with the host and the time (osquery.io/schema; osquery's documentation,
"Logging"). `path` is the executable where `processes` was joined; in these tables alone it is that of a UNIX socket.
Command lines are not taken.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from portulan.model import Process, Value
from portulan.observe.readers.records import read_objects
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, imported, parse_epoch, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Endpoint, Observation, Transport
    from portulan.observe.readers.source import Source

    Row = dict[str, Any]

FORMAT = "osquery"
SAYS = "osquery: listening_ports, process_open_sockets"

TRANSPORTS: dict[str, Transport] = {"6": "tcp", "17": "udp", "33": "dccp", "132": "sctp"}
"""By IANA's protocol numbers."""
UNIX = "1"
"""AF_UNIX, everywhere; AF_INET is 2 everywhere, and AF_INET6 a number of each system's own."""
SEPARATORS = "|,;\t"
"""``--separator``; the first is the default of ``--csv``."""
_ROW = re.compile(r'[\s\[]*\{[^{}]*"(?:local_)?port"\s*:\s*"?\d+"?[^{}]*\}')
_ROW_KEYS = re.compile(r'"(?:pid|protocol|family)"\s*:\s*"?-?\d+"?')
_LOGGED = re.compile(r'\s*\{.*"hostIdentifier"\s*:\s*"', re.DOTALL)
_LOGGED_KEYS = re.compile(r'"(?:columns|snapshot|diffResults)"\s*:\s*[\[{]')


class _Logged(Value):
    """Who logged a row, and when."""

    host: str | None = None
    at: datetime | None = None


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with a row or a log entry of osquery, or the heading of such rows."""
    row = _ROW.match(head)
    if row is not None:
        return _ROW_KEYS.search(row[0]) is not None
    if _LOGGED.match(head) is not None:
        return _LOGGED_KEYS.search(head) is not None
    return _separator(head.partition("\n")[0]) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield each socket that has a port, by whom it is held as far as the query asked."""
    if source.head.lstrip()[:1] in {"[", "{"}:
        yield from _read_json(source)
    else:
        yield from _read_csv(source)


def _read_csv(source: Source) -> Iterator[Observation | Bad]:
    columns: list[str] = []
    separator = "|"
    for number, line in source.lines():
        if not line.strip():
            continue
        try:
            if not columns:
                separator = _separator(line) or separator
                columns = next(csv.reader([line], delimiter=separator))
            else:
                cells = next(csv.reader([line], delimiter=separator))
                yield from _observations(dict(zip(columns, cells, strict=True)), source, _Logged())
        except (csv.Error, KeyError, ValueError) as error:
            yield Bad(number, _why(error))


def _separator(heading: str) -> str | None:
    """Return what separates the columns of a heading that is osquery's."""
    for separator in SEPARATORS:
        columns = set(heading.strip().replace('"', "").split(separator))
        if columns >= {"pid", "port", "protocol"} or columns >= {"local_port", "remote_port", "protocol"}:
            return separator
    return None


def _read_json(source: Source) -> Iterator[Observation | Bad]:
    for found in read_objects(source):
        if isinstance(found, Bad):
            yield found
            continue
        line, record = found
        try:
            logged, rows = _unpack(record)
            for row in rows:
                # A log has the rows of all queries, and few are of sockets.
                if row is record or "port" in row or "local_port" in row:
                    yield from _observations(row, source, logged)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield Bad(line, _why(error))


def _why(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def _unpack(record: Row) -> tuple[_Logged, list[Row]]:
    """Return the rows that an entry of the log says are there; any other object is a row itself."""
    if "hostIdentifier" not in record:
        return _Logged(), [record]
    rows = record.get("snapshot") or record.get("diffResults", {}).get("added") or []
    if "columns" in record and record.get("action") != "removed":
        rows = [record["columns"]]
    seconds = record.get("unixTime")
    at = parse_epoch(seconds) if seconds else _parse_calendar(record.get("calendarTime"))
    return _Logged(str(record["hostIdentifier"]) or None, at), rows


def _parse_calendar(text: str | None) -> datetime | None:
    """Parse `Mon May  5 03:12:49 2014 UTC`; raises ValueError for anything else."""
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y UTC").replace(tzinfo=UTC) if text else None


def _observations(row: Row, source: Source, logged: _Logged) -> Iterator[Observation]:
    """Yield the socket of a row, unless it has no port. Raises KeyError, ValueError where it cannot be read."""
    transport = TRANSPORTS.get(str(row["protocol"]))
    if transport is None or str(row.get("family")) == UNIX:
        return
    holds = "port" in row
    local = _endpoint(row, "address", "port") if holds else _endpoint(row, "local_address", "local_port")
    peer = None if holds else _endpoint(row, "remote_address", "remote_port")
    if peer is not None and not peer.port:
        peer = None
    if not local.port and peer is None:
        return
    state = str(row.get("state") or "").lower().replace("_", "-") or None
    if state is None and holds and transport == "tcp":
        state = "listen"
    namespace = str(row.get("net_namespace") or "0")
    yield imported(
        source,
        transport,
        local,
        direction="listen" if peer is None else "connect",
        peer=peer,
        socket_state=state,
        processes=_owner(str(row.get("pid") or ""), row.get("name") or None, row.get("path") or None),
        observed_at=logged.at,
        host=logged.host,
        network_namespace=int(namespace) if namespace.isdecimal() and namespace != "0" else None,
    )


def _endpoint(row: Row, address: str, port: str) -> Endpoint:
    return endpoint(row[address] or "0.0.0.0", parse_port(str(row[port] or "0")))


@lru_cache(maxsize=4096)  # one object for the sockets of one process, as long as they are not too far apart
def _owner(pid: str, name: str | None, path: str | None) -> tuple[Process, ...]:
    """Return the process of a row; none where osquery did not find it, and writes -1."""
    if not pid.isascii() or not pid.isdecimal() or len(pid) > 10:  # noqa: PLR2004  # 32 bits
        return ()
    return (Process(int(pid), name and str(name), path and str(path), None, None, None),)
