"""The question: what protocol really answers on a port.

`answers` has the nouns; `protocols` the recognisers, one module for each family, without sockets; `deciding` settles
what the answers mean together; `plan` orders what to ask; `asking` owns the sockets, with `handshake` for TLS;
`transcript` writes down what was said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from portulan.identify.asking import ask
from portulan.identify.deciding import conclude
from portulan.identify.plan import Case, why_left_alone
from portulan.identify.transcript import write_transcript
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from portulan.model import Identification, Transport

__all__ = ["Known", "case_of", "identify", "why_left_alone"]

AT_ONCE = 64
"""So many ports of one host are asked at the same time on this machine; a quarter of that elsewhere."""


class Known(Value):
    """What is known of a port before it is asked: of the programs that hold it, and what is likely there.

    `programs` are names of programs, `speaks` the protocols that those are known for, `prior` other protocols that are
    likely, the likeliest first. All of it decides what is asked first, and what is left alone; none of it is evidence.
    """

    programs: tuple[str, ...] = ()
    speaks: tuple[str, ...] = ()
    prior: tuple[str, ...] = ()


def identify(
    host: str,
    ports: Iterable[int],
    *,
    transport: Transport = "tcp",
    known: Mapping[int, Known] | None = None,
    blind: bool = False,
    consent: bool = False,
    near: bool = True,
    transcript: bool = False,
    at_once: int | None = None,
) -> Iterator[Identification]:
    """Ask what answers on some ports of a host, and yield what was found, each as soon as it is.

    `known` is what is known of each port; `blind` uses none of it but to leave debuggers alone. `consent`: somebody
    allowed what may disturb the service (`plan.why_left_alone`). `near`: the host is this machine, so answers need not
    be waited for as long.
    """
    cases = [
        case_of(port, transport, (known or {}).get(port), blind=blind, consent=consent, near=near) for port in ports
    ]
    at_once = at_once or (AT_ONCE if near else AT_ONCE // 4)
    loop = asyncio.new_event_loop()
    done: asyncio.Queue[Identification | BaseException] = asyncio.Queue()
    asking = loop.create_task(_ask_all(host, cases, done, at_once, transcript=transcript))
    try:
        for _ in cases:
            found = loop.run_until_complete(done.get())
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        asking.cancel()
        loop.run_until_complete(asyncio.gather(asking, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def case_of(
    port: int,
    transport: Transport,
    known: Known | None,
    *,
    blind: bool = False,
    consent: bool = False,
    near: bool = True,
) -> Case:
    """Return what is to be asked, with what may be used of what is known."""
    known = known or Known()
    prior, speaks = ((), ()) if blind else (known.prior, known.speaks)
    return Case(port, transport, prior, known.programs, speaks, consent, near)


async def _ask_all(
    host: str,
    cases: list[Case],
    done: asyncio.Queue[Identification | BaseException],
    at_once: int,
    *,
    transcript: bool,
) -> None:
    free = asyncio.Semaphore(at_once)

    async def one(case: Case) -> None:
        async with free:
            try:
                done.put_nowait(await ask_one(host, case, transcript=transcript))
            except Exception as error:  # noqa: BLE001  # raised where somebody waits for it
                done.put_nowait(error)

    async with asyncio.TaskGroup() as group:
        for case in cases:
            group.create_task(one(case))


async def ask_one(host: str, case: Case, *, transcript: bool = False) -> Identification:
    """Ask one port, in an event loop of the caller's."""
    line = await ask(host, case)
    why = why_left_alone(case)
    remarks = [*line.asked.remarks, *([] if why is None else [f"it was only listened to: {why}"])]
    return conclude(
        case.port,
        line.asked,
        transport=case.transport,
        cost=line.cost,
        transcript=write_transcript(line.asked, case.transport) if transcript else None,
        remarks=remarks,
    )
