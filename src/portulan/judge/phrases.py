"""What a check says of a socket, of a rule, and of the difference between the two, in words."""

from __future__ import annotations

from portulan.judge.evidence import describe_ports, describe_redirect
from portulan.judge.selectors import owners_of
from portulan.judge.weigh import number_of
from portulan.model import base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portulan.judge.policy import Rule
    from portulan.model import Observation, PortRange, Process

MOST_NAMED = 3
"""So many of several things are named, and the rest counted."""


def say_subject(subject: Observation) -> str:
    """Say who holds or dials which number, and where: `nginx (pid 812) holds 80/tcp on 0.0.0.0`."""
    number = f"{number_of(subject)}/{subject.transport}"
    if subject.declaration is not None:
        verb = "dials" if subject.direction == "connect" else "holds"
        who = "nothing" if subject.declaration.role == "absent" else "something"
        return f"{subject.declaration.file}:{subject.declaration.line} says that {who} {verb} {number}"
    if subject.redirect is not None and subject.socket_state == "redirected":
        ports = f"{describe_ports(subject.redirect.ports)}/{subject.transport}"
        return f"a rule of {subject.redirect.by} takes {ports}: what arrives is {describe_redirect(subject.redirect)}"
    if subject.direction == "connect" and subject.peer is not None:
        return f"{_say_owner(subject)} dials {number} of {subject.peer.address}"
    return f"{_say_owner(subject)} holds {number} on {subject.local.address}"


def _say_owner(subject: Observation) -> str:
    owners = owners_of(subject)
    if not owners:
        missing = subject.processes_missing or "nobody knows who"
        whose = f" of {subject.unit}" if subject.unit else f" of {subject.socket_user}" if subject.socket_user else ""
        return f"a socket{whose} ({missing})"
    programs = [
        base_name(process.executable) if process.executable else process.name or "a program" for process in owners
    ]
    pids = [str(process.pid) for process in owners]
    shown = ", ".join(pids[:MOST_NAMED]) + (", ..." if len(pids) > MOST_NAMED else "")
    return f"{_join(programs)} ({'pid' if len(pids) == 1 else 'pids'} {shown})"


def say_rule(rule: Rule, *, without: Iterable[str] = ()) -> str:
    """Say what a rule selects by, beside its number: `executable /usr/sbin/nginx, address loopback`."""
    keys = (
        "executable",
        "script",
        "name",
        "package",
        "unit",
        "image",
        "user",
        "address",
        "peer",
        "protocol",
        "host",
        "tag",
    )
    told = [f"{key} {_join(getattr(rule, key), ' or ')}" for key in keys if getattr(rule, key) and key not in without]
    return ", ".join(told)


def say_missing(rule: Rule, ports: PortRange | None) -> str:
    """Say what a rule expects and nothing is."""
    transports = "/".join(rule.transport)
    number = "a number" if ports is None else describe_ports(ports)
    number += f"/{transports}" if transports else ""
    verb = "dials" if rule.direction == "connect" else "holds"
    said = say_rule(rule)
    why = f" ({rule.reason})" if rule.reason else ""
    return f"nothing {verb} {number} as the policy expects{f': {said}' if said else ''}{why}"


def say_difference(code: str, rule: Rule | None, failing: tuple[str, ...], subject: Observation | None) -> str:
    """Say what the policy has against a socket, or has to say of a rule."""
    if rule is None:
        return "no rule expects it"
    if code == "PT206":
        return f"the rule about it expired at {_moment(rule)}"
    if code == "PT209":
        about = ", ".join(map(describe_ports, rule.port))
        return f"the rule{f' about {about}' if about else ''} expired at {_moment(rule)}, and nothing needs it"
    differences = []
    for key in failing:
        found = _FOUND[key](subject) if subject is not None and key in _FOUND else None
        wanted = _join(getattr(rule, key), " or ")
        differences.append(f"{key} {wanted}" + (f", not {found}" if found else ""))
    return f"the policy expects {'; '.join(differences)}"


def _moment(rule: Rule) -> str:
    return rule.expires.strftime("%Y-%m-%dT%H:%M:%SZ") if rule.expires is not None else "an unknown time"


def _spoken(subject: Observation) -> str | None:
    answer = subject.identification
    return None if answer is None else answer.protocol or answer.behaviour


def _say_program(process: Process) -> str:
    if process.executable is None:
        return process.name or "a program"
    unseen = process.executable_status == "unseen"
    return process.executable + (", whose file cannot be seen from here" if unseen else "")


def _join(texts: Iterable[str], between: str = ", ") -> str:
    distinct = list(dict.fromkeys(texts))
    more = f"{between}{len(distinct) - MOST_NAMED} more" if len(distinct) > MOST_NAMED else ""
    return between.join(distinct[:MOST_NAMED]) + more


_FOUND: dict[str, Callable[[Observation], str | None]] = {
    "executable": lambda subject: _join(map(_say_program, owners_of(subject))),
    "script": lambda subject: _join([process.script for process in owners_of(subject) if process.script]),
    "name": lambda subject: _join([process.name for process in owners_of(subject) if process.name]),
    "package": lambda subject: subject.package or "in none",
    "unit": lambda subject: subject.unit or "in none",
    "image": lambda subject: subject.container_image or "in none",
    "user": lambda subject: (
        subject.socket_user or _join([process.user for process in subject.processes if process.user])
    ),
    "address": lambda subject: subject.local.address,
    "peer": lambda subject: subject.peer.address if subject.peer else None,
    "protocol": _spoken,
}
"""What a socket has in the place of a selector."""
