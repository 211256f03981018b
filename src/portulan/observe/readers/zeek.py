"""A connection as Zeek logs it in conn.log, whichever way that is written (docs.zeek.org, base/protocols/conn).

The originator dials: its end is local, the responder is the peer. Whether Zeek counts either as local to its site
(`local_orig`, `local_resp`) changes nothing in that. Only what was answered is taken: there is a service then. Left out
are attempts that nobody answered (S0, SH, RSTOS0) or that were refused (REJ), of which one scan makes thousands, and
what Zeek only saw the middle of (OTH), since who dialled is then a guess.

`service` is what Zeek saw spoken. It sees into no TLS, so what it names beside `ssl` was spoken in clear around it, as
before STARTTLS; what has a minus before it was not that protocol after all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.readers.protocols import UNTOLD, identify
from portulan.observe.readers.values import endpoint, imported, parse_epoch, parse_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portulan.model import Identification, Observation, Transport
    from portulan.observe.readers.source import Source

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
ANSWERED = frozenset({"S1", "S2", "S3", "SF", "RSTO", "RSTR", "RSTRH", "SHR"})
CONFIDENCE = 0.9
"""An analyser confirmed the protocol by what both sides sent."""


def read_connection(row: Mapping[str, str | None], source: Source) -> Observation | None:
    """Return a connection's observation; None for what was not answered or has no ports.

    Raises KeyError, ValueError for a row that cannot be read.
    """
    transport = TRANSPORTS.get(row["proto"] or "")
    state = row.get("conn_state")
    if transport is None or (state is not None and state not in ANSWERED):
        return None
    peer = endpoint(row["id.resp_h"] or "", parse_port(row["id.resp_p"] or ""))
    return imported(
        source,
        transport,
        endpoint(row["id.orig_h"] or "", parse_port(row["id.orig_p"] or "")),
        direction="connect",
        peer=peer,
        observed_at=parse_time(row["ts"] or ""),
        identification=_identification(row.get("service"), peer.port, transport),
    )


def parse_time(text: str) -> datetime:
    """Parse seconds since 1970 or, as `JSON::TS_ISO8601` writes it, a date; raises ValueError for anything else."""
    if "T" not in text:
        return parse_epoch(text)
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _identification(services: str | None, port: int, transport: Transport) -> Identification | None:
    """Return what was spoken: of several the one that carries the others, TLS where there is nothing else."""
    named = [name.removeprefix("spicy_") for name in (services or "").split(",") if name and not name.startswith("-")]
    if not named:
        return None
    told = [name for name in named if name not in UNTOLD]
    around = [name for name in ("quic", "ssl") if name in named]
    called = "smb" if "smb" in told else [*told, *around, *named][0]
    found = identify(called, port, transport, confidence=CONFIDENCE, reasons=("zeek saw it on the wire",))
    return replace(found, layers=(*found.layers, "tls")) if told and "ssl" in named else found
