"""Record a conversation with a server, as a transcript for tests/data/identify: HOST PORT [--probe NAME ...] [--tls].

Without --probe the whole plan is carried out. Protocol, product, version and source are for whoever records to correct.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from portulan.identify.asking import ask, ask_only
from portulan.identify.plan import Case
from portulan.identify.protocols import probes
from portulan.identify.transcript import transcribe


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--probe", action="append", metavar="NAME", help='by its name; "" listens only')
    parser.add_argument("--prior", action="append", default=[], metavar="PROTOCOL", help="what is asked first")
    parser.add_argument("--tls", action="store_true", help="inside TLS")
    parser.add_argument("--udp", action="store_true")
    parser.add_argument("--consent", action="store_true", help="also what can disturb")
    flags = parser.parse_args()
    case = Case(flags.port, "udp" if flags.udp else "tcp", tuple(flags.prior), consent=flags.consent)
    if flags.probe:
        wanted = [probes()[name] if name else None for name in flags.probe]
        line = asyncio.run(ask_only(flags.host, case, wanted, inside=flags.tls))
    else:
        line = asyncio.run(ask(flags.host, case))
    sys.stdout.write(json.dumps(transcribe(line.asked, case.transport), indent=1) + "\n")


if __name__ == "__main__":
    main()
