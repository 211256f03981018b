"""Fixtures for test suites: ports that nobody else gets while a test has them, on this machine or in a team.

::

    def test_server(portulan_port):
        server = portulan_port.start(["gunicorn", "app:app"])    # it gets the listening sockets, and PORT
        ...

    def test_cluster(portulan_hold):
        first, second = portulan_hold("node"), portulan_hold("node", size=3)

Nobody who asks the ledger gets the number meanwhile, and nobody else can bind it; so tests that run side by side, in as
many processes as they like, never meet. pytest loads this itself where Portulan is installed with `portulan[ledger]`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from portulan.coordinate.hold import Hold

LONGEST = 200
"""So much of a test's name is told to whoever is refused."""


@pytest.fixture
def portulan_hold(request: pytest.FixtureRequest) -> Iterator[Callable[..., Hold]]:
    """Hold ports to the end of the test: `portulan.hold`, but a number that somebody else has is passed over."""
    from portulan.held import hold  # noqa: PLC0415  # suites that do not use it do not pay for it

    with contextlib.ExitStack() as held:

        def take(name: str | None = None, **wanted: Any) -> Hold:  # noqa: ANN401  # what `hold` takes
            wanted.setdefault("purpose", ascii(request.node.nodeid)[1:-1][-LONGEST:])
            return held.enter_context(hold(name, **{"another": wanted.get("port") is None, **wanted}))

        yield take


@pytest.fixture
def portulan_port(portulan_hold: Callable[..., Hold]) -> Hold:
    """Hold one port to the end of the test, on loopback."""
    return portulan_hold("test")
