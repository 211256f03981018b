"""Record a conversation with a server, as a transcript for tests/data/identify: HOST PORT [--probe NAME ...] [--tls].

Without --probe the whole plan is carried out. Protocol, product, version and source are for whoever records to fill in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING

from portulan.identify.asking import ask
from portulan.identify.deciding import decide
from portulan.identify.plan import NEAR, Case, Step, questions
from portulan.identify.protocols import probes

if TYPE_CHECKING:
    from portulan.identify.plan import Steps


def only(names: list[str], inside: tuple[str, ...] | None) -> Steps:
    """Ask these probes alone, each on a connection of its own; the empty name only listens."""
    for name in names:
        yield Step(probes()[name] if name else None, fresh=True, wait_s=2.0, inside=inside)


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--probe", action="append", metavar="NAME", help='by its name; "" listens only')
    parser.add_argument("--tls", action="store_true", help="inside TLS")
    parser.add_argument("--udp", action="store_true")
    parser.add_argument("--consent", action="store_true", help="also what can disturb")
    flags = parser.parse_args()
    case = Case(flags.port, "udp" if flags.udp else "tcp", consent=flags.consent, limits=NEAR)
    inside = ("http/1.1",) if flags.tls else None
    steps = only(flags.probe, inside) if flags.probe else questions(case)
    line = asyncio.run(ask(flags.host, case, steps))
    inner = [answer for answer in line.answers if answer.tls]
    match, _ = decide(inner or line.answers)
    exchanges = []
    for answer in line.answers:
        exchange = {"probe": answer.probe, "sent": answer.sent.hex(), "data": answer.data.hex(), "end": answer.end}
        for name, data in (("nonce", answer.nonce), ("before", answer.before)):
            if data:
                exchange[name] = data.hex()
        exchanges.append(exchange)
    document = {
        "protocol": match and match.protocol,
        "product": match and match.product,
        "version": match and match.version,
        "source": "",
        "transport": case.transport,
        "tls": any(answer.tls for answer in line.answers),
        "exchanges": exchanges,
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
