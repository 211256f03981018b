"""A policy from what is there: a rule for each program and what it holds, with the verdict on each number beside it.

What is the same is written the same, whenever and in whatever order it is seen: no pid, no time, no number that the
kernel chose. Listeners are expected. A dial is allowed only where its verdict asks for a look: one that needs none
needs no rule. A client's own UDP socket is allowed by the range that such numbers come from.
"""

from __future__ import annotations

from portulan.judge.checking import EPHEMERAL, EPHEMERAL_ON_LINUX
from portulan.judge.evidence import one_line
from portulan.judge.fingerprints import scope_of
from portulan.judge.policy import Rule
from portulan.judge.program import SYSTEMD, is_interpreter
from portulan.judge.selectors import is_of_machine, owners_of
from portulan.judge.weigh import decisive, number_of
from portulan.model import PortRange, Value, base_name, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from portulan.judge.policy import Effect
    from portulan.model import Observation, Verdict

    Host = str | None

SCOPES = ("loopback", "private", "any")
WIDTH = 120
"""Characters of a comment."""


class Learned(Value):
    """A rule, what it is about in a few words, and the verdict on each of its numbers."""

    rule: Rule
    heading: str
    comments: tuple[str, ...]


class _Kind:
    """What one program has in one way: of each number the widest scope, and the verdict that asks most for a look."""

    __slots__ = ("comments", "scopes")

    def __init__(self) -> None:
        self.scopes: dict[PortRange, int] = {}
        self.comments: dict[PortRange, tuple[int, str]] = {}


def learn(verdicts: Iterable[Verdict], *, ephemeral: tuple[int, int] | None = None) -> tuple[Learned, ...]:
    """Return the rules under which all of some sockets are as they should be, in a fixed order.

    `ephemeral` are the numbers that this machine gives to those who dial, for what is seen here and now.
    """
    kinds: dict[tuple[Host, Rule], _Kind] = {}
    hosts: set[Host] = set()
    for verdict in verdicts:
        subject = verdict.subject
        hosts.add(subject.host)
        if not _is_learned(verdict):
            continue
        ports, effect = _numbers(subject, ephemeral)
        kind = kinds.setdefault((subject.host, replace(_selecting(subject), effect=effect)), _Kind())
        scope, said = SCOPES.index(scope_of(subject.local.address)), (_severity(verdict), _comment(verdict, ports))
        kind.scopes[ports] = max(kind.scopes.get(ports, scope), scope)
        kind.comments[ports] = max(kind.comments.get(ports, said), said)
    return tuple(sorted(_rules(kinds, hosts), key=_order))


def _rules(kinds: dict[tuple[Host, Rule], _Kind], hosts: set[Host]) -> Iterator[Learned]:
    """Yield the rules: what is the same on several hosts once, for those hosts unless they are all."""
    same: dict[tuple[Rule, tuple[PortRange, ...]], list[tuple[Host, _Kind]]] = {}
    for (host, rule), kind in kinds.items():
        dials = rule.direction == "connect"
        for scope in {0} if dials else set(kind.scopes.values()):
            some = [ports for ports, its in kind.scopes.items() if dials or its == scope]
            ports = tuple(sorted(some, key=lambda ports: (ports.first, ports.last)))
            within = replace(rule, port=ports, address=() if dials else (SCOPES[scope],))
            same.setdefault((within, ports), []).append((host, kind))
    for (rule, ports), found in same.items():
        of_hosts = {host for host, _kind in found}
        named = tuple(sorted([escape(host) for host in of_hosts if host is not None]))
        comments = tuple([max(kind.comments[one] for _host, kind in found)[1] for one in ports])
        if of_hosts != hosts:  # of a host without a name nothing can be expected among others
            rule = replace(rule, effect="allow") if None in of_hosts else replace(rule, host=named)  # noqa: PLW2901  # the same, elsewhere
        yield Learned(rule, _heading(rule), comments)


def _is_learned(verdict: Verdict) -> bool:
    subject = verdict.subject
    if subject.direction == "listen":
        return subject.socket_state != "bound" or subject.transport == "udp"
    return subject.direction == "connect" and verdict.attention != "ok"


def _numbers(subject: Observation, ephemeral: tuple[int, int] | None) -> tuple[PortRange, Effect]:
    """Return the number of a socket, or the range that it is of, and whether to expect it."""
    if subject.direction == "connect":
        return PortRange(number_of(subject), number_of(subject)), "allow"
    if subject.redirect is not None and subject.socket_state == "redirected":
        return subject.redirect.ports, "expect"
    port = subject.local.port
    first, last = EPHEMERAL.get(subject.system or "", EPHEMERAL_ON_LINUX)
    if ephemeral is not None and subject.perspective == "live":
        first, last = ephemeral
    if subject.transport == "udp" and first <= port <= last:
        return PortRange(first, last), "allow"
    return PortRange(port, port), "expect"


def _selecting(subject: Observation) -> Rule:
    """Return a rule that selects by who has a socket, as firmly as that can be seen.

    A path counts where it can be seen from here. What an interpreter runs, its path does not tell, nor whom the service
    manager holds a socket for.
    """
    owners = owners_of(subject)
    told = {process.executable for process in owners if process.executable}
    seen = bool(told) and all(process.executable and process.executable_status != "unseen" for process in owners)
    manager = any(process.executable in SYSTEMD for process in subject.processes)
    weak = not seen or manager or any(is_interpreter(base_name(path)) for path in told)
    scripts = {process.script for process in owners if process.script}
    names = {process.name for process in owners if process.name}
    named = is_of_machine(subject, of_user=bool(subject.socket_user), of_image=True)  # else anybody's may be called so
    unit = subject.unit if weak and named and subject.unit and not subject.unit.endswith(".scope") else None
    answer = subject.identification
    by_path = seen and not (manager and unit)
    return Rule(
        effect="expect",
        transport=(subject.transport,),
        direction=subject.direction,
        executable=_sorted(told) if by_path else (),
        script=_sorted(scripts) if scripts and len(told) == 1 else (),
        name=_sorted(names) if not by_path and not unit and subject.container_image is None else (),
        unit=_sorted([unit]) if unit else (),
        image=_sorted([subject.container_image]) if subject.container_image else (),
        user=_sorted([subject.socket_user]) if subject.socket_user else (),
        protocol=(answer.protocol,) if answer is not None and answer.protocol is not None else (),
    )


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(map(escape, texts)))


def escape(text: str) -> str:
    """Return the pattern of a text itself; bytes of a path that are no text may be anything there."""
    escaped = "".join([f"[{character}]" if character in "*?[" else character for character in text])
    return escaped.encode("utf-8", "replace").decode("utf-8")


def _severity(verdict: Verdict) -> int:
    return ("ok", "look", "investigate").index(verdict.attention)


def _comment(verdict: Verdict, ports: PortRange) -> str:
    """Say in a line what the verdict on a number is, and where it is not ok why."""
    said = f"{verdict.attention}: {verdict.judgement} ({verdict.rule})"
    if ports.first != ports.last and verdict.subject.redirect is None:
        return f"{said}: clients; the system chooses the number"
    why = "; ".join([item.statement for item in decisive(verdict.because)][:1])
    return _short(f"{said}: {why}" if verdict.attention != "ok" and why else said)


def _heading(rule: Rule) -> str:
    """Name the program that a rule is about."""
    paths = rule.script or rule.executable
    who = ", ".join([base_name(path) for path in paths]) or ", ".join(rule.image or rule.unit or rule.name or rule.user)
    does = "dials" if rule.direction == "connect" else "holds"
    return _short(f"{who or 'somebody'} {does}")


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _order(learned: Learned) -> tuple[object, ...]:
    """Sort what is held before what is dialled, and by the first number."""
    rule = learned.rule
    return rule.direction != "listen", rule.port[0].first, rule.transport, rule.executable, repr(rule)


# ------------------------------------------------------------------------------------------------------------- writing

HEADER = """\
# What is expected on the ports of {about}, as `portulan learn` found it.
# Read it before you trust it: a rule says that something is there, not that it should be.{warning}
# `portulan check` compares; the first rule that is about a socket decides. Keys: docs/check.md
"""

KEYS = (
    "port", "transport", "direction", "address", "peer", "executable", "script", "name", "package", "unit", "image",
    "user", "protocol", "note", "host", "tag", "reason", "owner", "expires", "citation",
)  # fmt: skip
"""The keys of a rule behind its effect, in the order in which they are written."""


def render_policy(learned: Sequence[Learned], about: str) -> str:
    """Write a policy as TOML."""
    doubtful = sum(comment.startswith("investigate") for one in learned for comment in one.comments)
    what = f"{doubtful} numbers are" if doubtful > 1 else "One number is"
    warning = f"\n# {what} to be looked into first: search for `investigate`." if doubtful else ""
    parts = [HEADER.format(about=one_line(about), warning=warning)]
    parts += [f"# {_comment_text(one.heading)}\n{render_rule(one.rule, one.comments)}" for one in learned]
    return "\n".join(parts)


def render_rule(rule: Rule, comments: Sequence[str] = ()) -> str:
    """Write a rule as TOML, with a comment behind each of its numbers."""
    lines = ["[[rule]]", f'effect = "{rule.effect}"']
    for key in KEYS:
        value = getattr(rule, key)
        if key == "port" and value:
            lines += _port_lines(value, comments)
        elif value and not (key == "direction" and value == "listen"):
            lines.append(f"{key} = {_render(value)}")
    return "\n".join(lines) + "\n"


def _port_lines(ports: Sequence[PortRange], comments: Sequence[str]) -> list[str]:
    texts = [str(one.first) if one.first == one.last else f'"{one.first}-{one.last}"' for one in ports]
    said = [f"  # {_comment_text(comment)}" for comment in comments] or [""] * len(texts)
    if len(texts) == 1:
        return [f"port = {texts[0]}{said[0]}"]
    if not comments:
        return [f"port = [{', '.join(texts)}]"]
    return ["port = [", *[f"  {text},{comment}" for text, comment in zip(texts, said, strict=True)], "]"]


def _render(value: str | tuple[str, ...] | datetime) -> str:
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, tuple):
        return _quote(value[0]) if len(value) == 1 else f"[{', '.join(map(_quote, value))}]"
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _quote(text: str) -> str:
    """Write a basic string (TOML 1.0, "String")."""
    plain = text.encode("utf-8", "replace").decode("utf-8").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join([one if one.isprintable() else f"\\U{ord(one):08X}" for one in plain]) + '"'


def _comment_text(text: str) -> str:
    """Return a text that ends with its line: control characters are not allowed in a comment."""
    return "".join([one if one.isprintable() else "?" for one in text])
