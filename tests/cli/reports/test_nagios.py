"""The output of a monitoring plugin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.cli.reports.nagios import LONGEST, MOST_TOLD, STATES, exit_code
from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, REFUSED, printable, written
from tests.strategies import attentions, checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check
    from portulan.model import Attention

DATUM = re.compile(r"[a-z]+=\d+(;\d*){0,3}")
"""'label'=value[UOM];[warn];[crit];[min];[max]: Monitoring Plugins Development Guidelines, 2.6."""

CALM = replace(BAD, findings=tuple([replace(finding, attention="look") for finding in BAD.findings]))


def test_a_bad_night() -> None:
    """The first line has the state, what is the matter, and the figures; the next ones tell each finding."""
    status, *more = written(BAD, "nagios").splitlines()
    assert status == (
        "PORTULAN CRITICAL: 4 findings (4 investigate); 4 sockets of pbx1 by 3 rules of conf/ports.toml; not all "
        "could be seen (1 reason) | investigate=4;;0;0 look=0;0;;0 ok=0;0;;0 judged=4;;;0 incomplete=1;;;0"
    )
    assert more[0].startswith("investigate PT207 23/tcp conf/ports.toml:15:1: pbx1: in.telnetd (pid 99) holds 23/tcp")
    assert more[-1] == "not seen: owners of 3 sockets: not permitted"


@pytest.mark.parametrize(
    ("check", "fail_on", "code"),
    [
        (CLEAN, "investigate", 0),
        (CALM, "investigate", 1),
        (CALM, "look", 2),
        (BAD, "investigate", 2),
        (replace(CLEAN, incomplete=(REFUSED,)), "investigate", 3),
    ],
    ids=["clean", "below", "at", "above", "unseen"],
)
def test_the_exit_code_is_that_of_a_plugin(check: Check, fail_on: Attention, code: int) -> None:
    """Critical is what fails the check, a warning any other finding, and unknown where nothing is known but not all."""
    assert exit_code(check, fail_on) == code
    assert written(check, "nagios", fail_on=fail_on).startswith(f"PORTULAN {STATES[code]}: ")


@given(check=checks(), fail_on=attentions)
def test_every_output_is_a_plugins(check: Check, fail_on: Attention) -> None:
    """Whatever is in it, there is one bar, well-formed figures behind it, and no more than a plugin may say."""
    text = written(check, "nagios", fail_on=fail_on)
    status, *more = text.split("\n")[:-1]
    said, figures = status.split(" | ")
    assert "|" not in said + "".join(more)
    assert all(DATUM.fullmatch(datum) for datum in figures.split(" "))
    assert printable([status, *more])
    assert max(map(len, more), default=0) <= LONGEST
    assert len(more) <= 2 * MOST_TOLD + 1


def test_a_fleet_is_cut() -> None:
    """Of many findings the worst are told, and how many more there are."""
    calm = tuple([replace(BAD.findings[0], attention="look", host=f"host{number}") for number in range(300)])
    _, first, *more = written(replace(BAD, findings=(*calm, BAD.findings[1]), incomplete=()), "nagios").splitlines()
    assert first.startswith("investigate ")
    assert more[-1] == "... and 271 more"
