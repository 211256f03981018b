"""A policy, joined with the map and with this machine or somebody else's record: checked, and learned."""

from __future__ import annotations

import contextlib
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.answer import imported, machine
from portulan.errors import PolicyError, UsageError
from portulan.judge.checking import Checking
from portulan.judge.expecting import rules_of
from portulan.judge.findings import Check
from portulan.judge.learning import Learned, learn
from portulan.judge.matching import Rulebook
from portulan.judge.parsing import decode_policy
from portulan.judge.syntax import LARGEST_BYTES
from portulan.model import Incomplete, replace
from portulan.observe.ephemeral import ephemeral_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.answer import Machine
    from portulan.judge.policy import Policy
    from portulan.model import Attention, Observation, Verdict
    from portulan.observe.readers import Reading

    Names = Mapping[str, frozenset[str]]

POLICY = "ports.toml"
NOTHING = Incomplete(
    "whatever was to be checked", "there is no socket in it", "is it the record or folder that was meant?"
)


def find_policy(named: str | None = None) -> str:
    """Return the policy to use: the one that is named, by $PORTULAN_POLICY otherwise, that of the folder, the user's.

    What has the name and cannot be read, as a folder or a link to nowhere, is an error to be told and not passed over.
    Raises UsageError where there is none.
    """
    if named or (named := os.environ.get("PORTULAN_POLICY")):
        return named
    config = os.environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if (home := os.environ.get("HOME")) else "")
    places = [POLICY, *([f"{config}/portulan/{POLICY}"] if config else [])]
    for place in places:
        if os.path.lexists(place):
            return place
    message = f"there is no policy: neither {' nor '.join(places)}"
    raise UsageError(message, hint=f"portulan learn > {POLICY} writes one of what is here; --policy names another")


def read_policy(place: str) -> Policy:
    """Read a policy. Raises PolicyError with each fault and its place, OSError where it cannot be read."""
    with Path(place).open("rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    try:
        return decode_policy(data, place)
    except PolicyError as error:
        with contextlib.suppress(UnicodeDecodeError):
            error.text = data.decode("utf-8")
        raise


def read_rulebook(place: str) -> Rulebook:
    """Return the rules of a policy as they are in force now. Errors as in `read_policy`."""
    return Rulebook(read_policy(place), now=datetime.now(UTC))


def check_machine(
    policy: Policy, *, fail_on: Attention = "investigate", probe: bool = False, names: Names | None = None
) -> Check:
    """Check this machine; `probe` asks its listeners what they speak. Errors as those of `answer.machine`."""
    seen = _look(probe=probe)
    checking = _checking(policy, seen, fail_on, names)
    checking.look_at(platform.node())
    return _check(policy, seen, checking, probed=probe)


def _look(*, probe: bool) -> Machine:
    """Look at this machine with every owner of a socket, since one that no rule expects is enough."""
    return machine(connections=True, all_owners=True, scripts=True, probe=probe)


def check_reading(
    policy: Policy, reading: Reading, *, fail_on: Attention = "investigate", names: Names | None = None
) -> Check:
    """Check what somebody else has seen, as it is read; where there is nothing in it, that is told."""
    seen = imported(reading)
    check = _check(policy, seen, _checking(policy, seen, fail_on, names), probed=False)
    return check if check.judged else replace(check, incomplete=(*check.incomplete, NOTHING))


def _checking(policy: Policy, seen: Machine, fail_on: Attention, names: Names | None) -> Checking:
    rulebook = Rulebook(policy, now=datetime.now(UTC), names=names)
    judge = seen.judge
    return Checking(rulebook, judge, fail_on=fail_on, ephemeral=ephemeral_range(), is_claimed=judge.is_claimed)


def _check(policy: Policy, seen: Machine, checking: Checking, *, probed: bool) -> Check:
    for subject, company in seen.in_company():
        checking.take(subject, company)
    incomplete = (*seen.incomplete, *checking.untold())
    asked = probed or checking.asked
    return Check(policy, checking.judged, checking.hosts, checking.findings(), incomplete, asked)


def learn_machine(*, probe: bool = False) -> tuple[tuple[Learned, ...], tuple[Incomplete, ...]]:
    """Return the rules of what is on this machine, and what could not be seen."""
    seen = _look(probe=probe)
    return learn(seen, ephemeral=ephemeral_range()), seen.incomplete


def learn_reading(reading: Reading) -> tuple[tuple[Learned, ...], tuple[Incomplete, ...]]:
    """Return the rules of what somebody else has seen, or expects, and what could not be read."""
    seen = imported(reading)
    declared: list[Observation] = []

    def verdicts() -> Iterator[Verdict]:
        for observation in seen.observations():
            if observation.declaration is None:
                yield seen.judge(observation)
            else:
                declared.append(observation)

    learned = learn(verdicts())
    expected = tuple([Learned(rule, rule.reason or "", ()) for rule in rules_of(declared)])
    return (*expected, *learned), seen.incomplete
