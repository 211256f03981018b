"""`portulan check`: a policy against this machine, somebody else's record, or a fleet.

All outputs are written before the exit code is decided.
"""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from portulan.checked import check_machine, check_reading, find_policy, read_policy
from portulan.cli import reports, say, say_error, say_incomplete, say_passed_over, say_system_error, worse
from portulan.cli.faults import render_faults
from portulan.cli.outputs import add_output, write_outputs
from portulan.cli.places import open_each
from portulan.cli.reports import github, nagios
from portulan.cli.reports.wording import say_summary
from portulan.cli.terminal import clean
from portulan.errors import PolicyError, PortulanError, UsageError
from portulan.judge.rules import SEVERITY
from portulan.judge.selectors import SCOPES, read_network
from portulan.observe.readers import Reading

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from portulan.judge.findings import Check
    from portulan.judge.policy import Policy
    from portulan.model import Attention

FAIL_ON = ("investigate", "look", "never")


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the verb takes."""
    parser.add_argument("places", nargs="*", metavar="OBSERVATIONS", help="FILE, DIR, URL or -; none: this machine")
    parser.add_argument("--policy", metavar="FILE", help="none: $PORTULAN_POLICY, ./ports.toml, the user's")
    parser.add_argument("--fail-on", choices=FAIL_ON, default="investigate", help="what the exit code 1 stands for")
    parser.add_argument("--probe", action="store_true", help="ask this machine's listeners what they speak")
    parser.add_argument("--resolve", action="store_true", help="look up the names of hosts that rules dial (DNS)")
    parser.add_argument("--format", choices=reports.FORMATS, default="text", metavar="|".join(reports.FORMATS))
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add_output(parser, reports.FORMATS)
    parser.add_argument("--validate", action="store_true", help="read the policy, or those named, and check nothing")
    parser.add_argument("--from", dest="reader", metavar="FORMAT", help="where it is not told by the beginning")


def run(flags: Namespace) -> int:
    """Check, write what was found, and return the exit code; what Nagios has no code for is unknown to it."""
    if flags.validate:
        return _validate(flags.places or [find_policy(flags.policy)])
    if flags.format != "nagios":
        return _run(flags)
    try:
        return _run(flags)
    except PortulanError as error:
        sys.stdout.writelines(nagios.render_error(error.message, error.hint))
    except OSError as error:
        said = error.strerror or str(error)
        sys.stdout.writelines(nagios.render_error(f"{error.filename}: {said}" if error.filename else said, None))
    return nagios.UNKNOWN


def _run(flags: Namespace) -> int:
    try:
        policy = read_policy(find_policy(flags.policy))
    except PolicyError as error:
        if flags.format == "github":
            sys.stdout.writelines(github.render_faults(error))
        raise
    fail_on: Attention = "investigate" if flags.fail_on == "never" else flags.fail_on
    check = _check(policy, flags, fail_on)
    at = datetime.now(UTC)
    write = partial(reports.write, check, fail_on=fail_on, at=at)
    unwritten = write_outputs(flags.output, write)
    write(flags.format, sys.stdout)
    sys.stdout.flush()
    for refused in check.incomplete:
        say_incomplete(refused)
    say_passed_over()
    if flags.format == "text" and not sys.stdout.isatty():  # where rows alone are written, a clean check is none
        say(f"{say_summary(check)}\n")
    for failure in unwritten:
        say_error(failure.message, failure.hint)
    if flags.format == "nagios":
        return nagios.exit_code(check, fail_on) or (nagios.UNKNOWN if unwritten else 0)
    return 2 if unwritten else exit_code(check, flags.fail_on)


def _check(policy: Policy, flags: Namespace, fail_on: Attention) -> Check:
    names = look_up(policy) if flags.resolve else None
    if not flags.places:
        return check_machine(policy, fail_on=fail_on, probe=flags.probe, names=names)
    if flags.probe:
        message = "a record cannot be asked what it speaks"
        raise UsageError(message, hint="leave out --probe: what the record has of it counts")
    reading = Reading(chain.from_iterable([open_each(place, flags) for place in flags.places]))
    return check_reading(policy, reading, fail_on=fail_on, names=names)


def exit_code(check: Check, fail_on: str) -> int:
    """Return 1 for a finding that fails the check, 3 where something could not be seen, else 0."""
    fails = fail_on != "never" and any(SEVERITY[one.attention] >= SEVERITY[fail_on] for one in check.findings)  # type: ignore[index]  # one of two words
    return worse(1 if fails else 0, 3 if check.incomplete else 0)


def _validate(places: list[str]) -> int:
    code = 0
    for place in places:
        try:
            policy = read_policy(place)
        except PolicyError as error:
            say(render_faults(error, error.text))
            code = 2
        except OSError as error:
            code = say_system_error(error)
        else:
            count = len(policy.rules)
            say(f"{clean(place)}: {count} {'rule' if count == 1 else 'rules'}\n")
    return code


def look_up(policy: Policy) -> dict[str, frozenset[str]]:
    """Return the addresses of the hosts that rules name as peers, as the system's resolver has them now."""
    names = {word for rule in policy.rules for word in rule.peer if word not in SCOPES and read_network(word) is None}
    found: dict[str, frozenset[str]] = {}
    for name in sorted(names):
        try:
            told = socket.getaddrinfo(name, None)
        except (OSError, UnicodeError) as error:
            say(f"note: {clean(name)} was not found ({clean(str(error))}): rules that dial it cannot be told\n")
            continue
        found[name.casefold()] = frozenset([str(address[0]) for *_rest, address in told])
    return found
