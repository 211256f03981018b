#!/usr/bin/env python3
"""Which probe names which server, so that probes get the rank and the `after` that they have earned.

    ip netns exec NAME bench/yields.py RUNNING/endpoints.json

Every server that neither its own words nor a ClientHello nor a GET names is sent every probe, each on a connection of
its own. Printed are, for each reaction to the ClientHello and the GET, the probes in the order in which each names most
that no earlier one does; and for each probe the reactions of the services that it names. Servers get far more than
`portulan identify` makes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from portulan.identify.asking import ask_only
from portulan.identify.plan import Case
from portulan.identify.protocols import probes
from portulan.identify.protocols.http import GET
from portulan.identify.protocols.tls import HELLO

if TYPE_CHECKING:
    from portulan.identify.answers import Probe
    from portulan.model import Transport

AT_ONCE = 16


class Yielded(NamedTuple):
    """What one server made of all probes."""

    server: str
    reaction: str
    named_by: dict[str, str]


async def name_by(port: int, transport: Transport, probe: Probe | None) -> tuple[str | None, str]:
    """Return what one probe alone makes of a server, and how that took it."""
    asked = (await ask_only("127.0.0.1", Case(port, transport, consent=True), [probe])).asked
    ends = {answer.end for answer in asked.answers}
    silent = "resets" if "reset" in ends else "closes" if "closed" in ends else "silent"
    return asked.name, "answers" if asked.spoke else silent


async def yielded(endpoint: dict[str, str], free: asyncio.Semaphore) -> Yielded | None:
    """Send a server everything; None where the first three questions name it."""
    async with free:
        port, transport = int(endpoint["port"]), "udp" if endpoint["transport"] == "udp" else "tcp"
        reactions: list[str] = []
        for probe in (None, HELLO, GET) if transport == "tcp" else ():
            name, took = await name_by(port, "tcp", probe)
            if name is not None:
                return None
            reactions += [took] if probe is not None else []
        reaction = "/".join(reactions) or "udp"
        named_by = {}
        for probe in probes().values():
            if probe.transport == transport and probe not in {HELLO, GET}:
                name, _ = await name_by(port, "udp" if transport == "udp" else "tcp", probe)
                if name is not None:
                    named_by[probe.name] = name
        return Yielded(endpoint["name"], reaction, named_by)


async def measure(endpoints: list[dict[str, str]]) -> list[Yielded]:
    """Send all servers everything."""
    free = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*[yielded(endpoint, free) for endpoint in endpoints])
    return [one for one in found if one is not None]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("endpoints", type=Path)
    flags = parser.parse_args()
    found = asyncio.run(measure(json.loads(flags.endpoints.read_text("utf-8"))["endpoints"]))
    after: dict[str, set[str]] = {}
    for reaction in sorted({one.reaction for one in found}):
        left = [one for one in found if one.reaction == reaction]
        print(f"{reaction}: {len(left)} servers")
        while any(one.named_by for one in left):
            counts = {name: [one for one in left if name in one.named_by] for one in left for name in one.named_by}
            best = max(counts, key=lambda name: (len(counts[name]), -probes()[name].rank))
            servers = ", ".join([f"{one.server} ({one.named_by[best]})" for one in counts[best]])
            print(f"  {best:16} {len(counts[best]):3}  {servers}")
            left = [one for one in left if one not in counts[best]]
        print(f"  nothing          {len(left):3}  {', '.join([one.server for one in left])}")
        for one in found:
            for name in one.named_by if one.reaction == reaction else ():
                after.setdefault(name, set()).add(reaction)
    for name, reactions in sorted(after.items()):
        print(f"{name}: after={tuple(sorted(reactions))}, rank {probes()[name].rank}")


if __name__ == "__main__":
    main()
