"""A port that is chosen, claimed and bound in one step: the ledger and the sockets, joined with what is held here.

::

    with portulan.hold("web") as held:
        held.port                               # the same in each worktree, where nobody else has it
        held.sockets                            # listening on both families
        held.start(["gunicorn", "app:app"])     # gets them, and PORT

The number is the owner's own where he has reserved one, the one that is asked for, or what `suggest` says. Where
somebody else has it this fails and says who, and never takes another number unless `another` is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.chosen import owner_of, suggest_here
from portulan.coordinate.hold import Hold, bind
from portulan.coordinate.holders import holder_of
from portulan.errors import ClaimConflict, NotFound, ObserveError, UsageError
from portulan.observe import survey

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from portulan.coordinate.ledger import Ledger
    from portulan.model import Scope

SPARE = 100
"""So many others are at hand where each that is tried turns out to be somebody's, as among many test runs at once."""


def hold(
    name: str | None = None,
    *,
    port: int | None = None,
    size: int = 1,
    public: bool = False,
    udp: bool = False,
    another: bool = False,
    purpose: str | None = None,
    scope: Scope | None = None,
    ledger: str | None = None,
) -> Hold:
    """Claim a port, or a block of `size`, for this process, and bind it on both families; listen there.

    `name` is the service, or `project/service`; without a project it is that of the working folder. On loopback, or
    `public`ly on every address; with `udp` there too. `another`: where somebody else has the number take the next that
    `suggest` knows. Raises ClaimConflict where somebody else has it, by the ledger or in fact, LedgerError where the
    ledger cannot be used, and UsageError for what may not be bound.
    """
    owner, holder = owner_of(name, Path.cwd()), holder_of(os.getpid())
    with contextlib.ExitStack() as opened:
        claims = opened.enter_context(_open(scope, ledger))

        def take(number: int) -> Hold:
            claim = claims.claim(owner, number, size=size, purpose=purpose, holder=holder, anew=True)
            with contextlib.ExitStack() as claimed:
                claimed.callback(claims.let_go, claim)
                held = Hold(claims, claim, _bind(number, size, public=public, udp=udp))
                claimed.pop_all()
            return held

        held = _first(take, _candidates(claims, owner, port, size, another=another))
        opened.pop_all()
    return held


def _open(scope: Scope | None, place: str | None) -> Ledger:
    try:
        from portulan.coordinate.ledger import open_ledger  # noqa: PLC0415  # its libraries may be missing
    except ModuleNotFoundError as error:
        message = f"a ledger needs {error.name}"
        raise UsageError(message, hint="pip install 'portulan[ledger]'") from error
    return open_ledger(scope, place)


def _candidates(ledger: Ledger, owner: str, port: int | None, size: int, *, another: bool) -> Iterator[int]:
    """Yield the numbers to be tried, the one that is meant first."""
    meant = [port] if port is not None else [claim.port for claim in ledger.claims(owner) if claim.size == size]
    yield from meant
    if meant and not another:
        return
    others = [claim for claim in ledger.claims() if claim.owner != owner or claim.holder is not None]
    suggested, _ = suggest_here(owner, size=size, alternatives=SPARE, claims=others)
    for choice in (*suggested.chosen, *suggested.alternatives):
        if choice.port not in meant:
            yield choice.port


def _first(take: Callable[[int], Hold], numbers: Iterable[int]) -> Hold:
    """Take the first number that can be had. Raises what spoke against the first of all where none can."""
    refused: ClaimConflict | None = None
    for number in numbers:
        try:
            return take(number)
        except ClaimConflict as error:
            refused = refused or error
    message = "there is no port left"
    raise refused or NotFound(message, hint="portulan suggest says what is passed over, and why")


def _bind(port: int, size: int, *, public: bool, udp: bool) -> list[socket.socket]:
    try:
        return bind(port, size, public=public, udp=udp)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _taken(port, size) from error
        if error.errno == errno.EACCES:
            message = f"{_block(port, size)} may not be bound: {error.strerror}"
            raise UsageError(message, hint="numbers below 1024 are root's, as a rule: choose one above") from error
        raise


def _taken(port: int, size: int) -> ClaimConflict:
    """Say who has a port in fact, who never asked the ledger."""
    wanted = range(port, port + size)
    try:
        seen = [one for one in survey(connections=True, command_lines=False) if one.local.port in wanted]
    except ObserveError:
        seen = []
    found = next((process for one in seen for process in one.processes), None)
    who = "somebody" if found is None else f"{found.name or 'a process'} (process {found.pid})"
    number = seen[0].local.port if seen else port
    message = f"{_block(port, size)} cannot be had: {who} has {number}, and no claim to it"
    hint = f"portulan {number} says more; or take another"
    return ClaimConflict(message, owner=(found and found.name) or "somebody", hint=hint)


def _block(port: int, size: int) -> str:
    return str(port) if size == 1 else f"{port}-{port + size - 1}"
