"""`portulan learn`: a policy from this machine, from somebody else's record, or from what others expect."""

from __future__ import annotations

import platform
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.checked import learn_machine, learn_reading
from portulan.cli import say, say_incomplete, say_passed_over
from portulan.cli.places import open_each
from portulan.errors import UsageError
from portulan.judge.learning import render_policy
from portulan.observe.declared.inforce import FIREWALLS, in_force
from portulan.observe.readers import Reading

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from portulan.observe.readers import Origin


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes."""
    parser.add_argument("places", nargs="*", metavar="FILE|DIR|URL|-|firewalld|ufw", help="none: this machine")
    parser.add_argument("--probe", action="store_true", help="ask this machine's listeners what they speak")
    parser.add_argument("--from", dest="reader", metavar="FORMAT", help="where it is not told by the beginning")


def _open(place: str, flags: Namespace) -> Iterator[Origin]:
    if place in FIREWALLS and not Path(place).exists():
        return in_force(place)
    return open_each(place, flags)


def run(flags: Namespace) -> int:
    """Learn, write the policy to standard output, and return the exit code."""
    if flags.places and flags.probe:
        message = "a record cannot be asked what it speaks"
        raise UsageError(message, hint="leave out --probe: what the record has of it counts")
    if flags.places:
        rules, incomplete = learn_reading(Reading(chain.from_iterable([_open(place, flags) for place in flags.places])))
        about = ", ".join(flags.places)
    else:
        rules, incomplete = learn_machine(probe=flags.probe)
        about = platform.node() or "this machine"
    sys.stdout.write(render_policy(rules, about))
    sys.stdout.flush()
    for refused in incomplete:
        say_incomplete(refused)
    say_passed_over()
    count = sum(len(one.rule.port) for one in rules)
    said = f"{len(rules)} rules" if len(rules) != 1 else "one rule"
    numbers = f"{count} numbers" if count != 1 else "one number"
    say(f"{said} about {numbers}; read them, then: portulan check --policy FILE\n")
    return 3 if incomplete else 0
