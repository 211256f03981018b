"""The XML output of nmap (``nmap -oX``), and of masscan, which writes it too (nmap's reference guide, "Output").

What nmap calls `open` answered. `open|filtered` is silence, which is no observation of a listener. A service that was
probed is an identification; one from the table of names (`method="table"`) is what the number is called and no more.

The file is read by expat piece by piece. Nothing that it declares of its own is believed: a document type with
declarations in it is refused, and one that lies elsewhere is not fetched.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.parsers import expat

from portulan.observe.readers.banners import identify_banner, join, unescape
from portulan.observe.readers.protocols import identify
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, imported, parse_epoch, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from portulan.model import Identification, Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "nmap-xml"
SAYS = "nmap -oX, masscan -oX"

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
PIECE = 65_536
LARGEST = 8_388_608
"""Bytes of one tag; a script's output is an attribute, and expat holds a tag until it ends."""

Attributes = dict[str, str]


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file is XML with the root that nmap's document type has."""
    return head.lstrip().startswith("<") and ("<nmaprun " in head or "<nmaprun>" in head)


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the open ports of each host. What masscan says of one in several places is joined."""
    records = _read(source)
    return join(records) if '<nmaprun scanner="masscan"' in source.head else records


def _read(source: Source) -> Iterator[Observation | Bad]:
    parser = expat.ParserCreate()
    scan = _Scan(source, parser)
    text = io.TextIOWrapper(source.binary, source.encoding, "replace")
    fed = 0
    try:
        while piece := text.read(PIECE):
            parser.Parse(piece)
            fed += len(piece)
            yield from scan.take()
            if fed - parser.CurrentByteIndex > LARGEST:
                message = f"a tag of more than {LARGEST:,} bytes"
                raise ValueError(message)  # noqa: TRY301  # to end here as the other reasons do
        parser.Parse("", True)  # noqa: FBT003  # expat has it so
    except (expat.ExpatError, ValueError) as error:
        yield from scan.take()
        why = expat.errors.messages.get(error.code) if isinstance(error, expat.ExpatError) else str(error)
        yield Bad(parser.CurrentLineNumber, f"the rest is not read: {why}")


class _Scan:
    """What expat finds: the host and the port it is in, and the records that are complete."""

    def __init__(self, source: Source, parser: expat.XMLParserType) -> None:
        self._source = source
        self._parser = parser
        self._found: list[Observation | Bad] = []
        self._started: str | None = None
        self._host: Attributes = {}
        self._port: Attributes = {}
        self._service: Attributes = {}
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def take(self) -> list[Observation | Bad]:
        """Return what has been found since."""
        found, self._found = self._found, []
        return found

    @staticmethod
    def _doctype(_name: str, _system: str | None, _public: str | None, declares: int) -> None:
        if declares:
            message = "a document type with declarations of its own"
            raise ValueError(message)

    def _start(self, tag: str, has: Attributes) -> None:
        match tag:
            case "nmaprun":
                self._started = has.get("start")
            case "host":
                self._host = {"at": has.get("endtime") or has.get("starttime") or self._started or ""}
            case "address" if has.get("addrtype") != "mac":
                self._host["address"] = has.get("addr", "")
            case "hostname":
                self._host.setdefault("name", has.get("name", ""))
            case "port":
                self._port, self._service = has, {}
            case "state" if self._port:
                self._port["state"] = has.get("state", "")
            case "service":
                self._service = has

    def _end(self, tag: str) -> None:
        if tag == "port":
            transport = TRANSPORTS.get(self._port.get("protocol", ""))  # -sO asks for protocols below them
            if self._port.get("state") == "open" and transport is not None:
                try:
                    self._found.append(self._observation(transport))
                except ValueError as error:
                    self._found.append(Bad(self._parser.CurrentLineNumber, str(error)))
            self._port = {}

    def _observation(self, transport: Transport) -> Observation:
        port = parse_port(self._port.get("portid", ""))
        address = self._host.get("address", "")
        return imported(
            self._source,
            transport,
            endpoint(address, port),
            observed_at=_time(self._host.get("at")),
            host=self._host.get("name") or address,
            identification=_identification(self._service, port, transport),
        )


def _time(text: str | None) -> datetime | None:
    return parse_epoch(text) if text else None


def _identification(has: Attributes, port: int, transport: Transport) -> Identification | None:
    """Return what a service element says that somebody asked; raises ValueError for a confidence that is none."""
    name = has.get("name")
    if "method" not in has and "banner" in has:
        return identify_banner(name or "", unescape(has["banner"]), port, transport)
    if has.get("method") != "probed":
        return None
    confidence = has.get("conf", "")
    if confidence not in {str(number) for number in range(11)}:
        message = f"{confidence[:40]!r} is not a confidence from 0 to 10"
        raise ValueError(message)
    more = [has["extrainfo"]] if has.get("extrainfo") else []
    return identify(
        name,
        port,
        transport,
        tls=has.get("tunnel") == "ssl",
        product=has.get("product") or None,
        version=has.get("version") or None,
        confidence=int(confidence) / 10,
        reasons=("nmap probed it", *more),
        behaviour="closes" if name == "tcpwrapped" else None,
    )
