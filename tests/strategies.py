"""One hypothesis strategy per core type: any value of it that the rest of the code must be able to take.

Texts may hold anything that Unicode has but surrogates and the separators of the index, hostile characters included;
those of a check may hold these too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from portulan.judge.findings import Check, Finding, Location
from portulan.judge.policy import Policy, Rule, Tag
from portulan.judge.rules import FINDINGS, NOTES, RULES, SEVERITY
from portulan.model import (
    PORTS,
    TRANSPORTS,
    Assignment,
    Certificate,
    Citation,
    Cost,
    Declaration,
    Endpoint,
    Entry,
    Evidence,
    Executable,
    Grade,
    Identification,
    Incomplete,
    KnownUse,
    Note,
    Observation,
    PortRange,
    Process,
    Redirect,
    Tls,
    TransportEntry,
    Verdict,
    replace,
    tier_of,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# ------------------------------------------------------------------------------------------------------------ parts

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1e\x1f"), min_size=1, max_size=40)
"""A text that is there."""

maybe_texts = st.none() | texts
"""A column that may be empty."""

ports = st.integers(0, PORTS - 1)
transports = st.sampled_from(TRANSPORTS)
attestations = st.sampled_from(["documented", "reported"])
citations: SearchStrategy[Citation] = st.builds(Citation, url=texts.map("https://{}".format), title=texts)

# ---------------------------------------------------------------------------------------------------------- the map

port_ranges: SearchStrategy[PortRange] = st.tuples(ports, ports).map(lambda both: PortRange(min(both), max(both)))

assignments: SearchStrategy[Assignment] = st.builds(
    Assignment,
    service_name=maybe_texts,
    aliases=st.lists(texts, max_size=2).map(tuple),
    ports=st.none() | port_ranges,
    transport=st.none() | transports,
    description=maybe_texts,
    assignee=maybe_texts,
    contact=maybe_texts,
    registration_date=maybe_texts,
    modification_date=maybe_texts,
    reference=maybe_texts,
    service_code=maybe_texts,
    unauthorized_use_reported=maybe_texts,
    assignment_notes=maybe_texts,
)

grades: SearchStrategy[Grade] = st.builds(
    Grade,
    registration=st.sampled_from(["name-only", "dated", "referenced", "specified"]),
    specification=st.none() | citations,
    implemented_by=st.lists(texts, max_size=2).map(tuple),
    reasons=st.lists(texts, max_size=2).map(tuple),
)

known_uses: SearchStrategy[KnownUse] = st.builds(
    KnownUse,
    product=texts,
    vendor=maybe_texts,
    ports=port_ranges,
    transport=transports,
    direction=st.sampled_from(["listen", "connect"]),
    protocol=maybe_texts,
    relation=st.sampled_from(["registered", "unofficial", "malicious"]),
    role=maybe_texts,
    default=st.booleans(),
    citation=citations,
    attestation=attestations,
)

executables: SearchStrategy[Executable] = st.builds(
    Executable,
    name=texts,
    system=st.sampled_from(["linux", "windows", "macos"]),
    product=texts,
    vendor=maybe_texts,
    distinct=st.sampled_from(["own", "shared"]),
    package=maybe_texts,
    path=maybe_texts,
    unit=maybe_texts,
    services=st.lists(texts, max_size=2).map(tuple),
    citation=citations,
    attestation=attestations,
)


@st.composite
def transport_entries(draw: st.DrawFn, transport: str) -> TransportEntry:
    """Draw what the map says of one pair: assigned rows make it assigned, and only then is there a grade."""
    rows = tuple(draw(st.lists(assignments, max_size=2)))
    others = tuple(draw(st.lists(assignments, max_size=2)))
    state = "assigned" if rows else draw(st.sampled_from(["reserved", "unassigned"]))
    return TransportEntry(transport, state, draw(grades) if rows else None, rows, others)  # type: ignore[arg-type]


entries: SearchStrategy[Entry] = ports.flatmap(
    lambda port: st.builds(
        Entry,
        port=st.just(port),
        tier=st.just(tier_of(port)),
        snapshot=st.dates().map(str),
        transports=st.tuples(*[transport_entries(transport) for transport in TRANSPORTS]),
        known_uses=st.lists(known_uses, max_size=3).map(tuple),
    )
)

# ---------------------------------------------------------------------------------------------------- the territory

times = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  # hypothesis adds the zone
    lambda time: time.replace(microsecond=0)
)
"""Aware times in UTC, to the second."""

endpoints: SearchStrategy[Endpoint] = st.builds(Endpoint, address=st.ip_addresses().map(str), port=ports)

processes: SearchStrategy[Process] = st.builds(
    Process,
    pid=st.integers(1, 2**22),
    name=maybe_texts,
    executable=st.none() | texts.map("/{}".format),
    command_line=st.none() | st.lists(texts, max_size=3).map(tuple),
    user=maybe_texts,
    started_at=st.none() | times,
    executable_status=st.sampled_from([None, "present", "deleted", "in-memory", "unseen"]),
    executable_writable=st.none() | texts.map("/{}".format),
    package=maybe_texts,
    executable_intact=st.none() | st.booleans(),
    restart_needed=st.none() | st.booleans(),
    replaced_by=st.sampled_from([None, "same", "upgrade", "foreign"]),
    script=st.none() | texts.map("/{}".format),
    script_package=maybe_texts,
    script_writable=st.none() | texts.map("/{}".format),
)

redirects: SearchStrategy[Redirect] = st.builds(
    Redirect,
    address=st.none() | st.ip_addresses().map(str),
    port=st.none() | ports,
    by=st.sampled_from(["nftables", "iptables", "ipvs", "docker-proxy"]),
    rule=texts,
    ports=st.tuples(ports, ports).map(sorted).map(lambda both: PortRange(*both)),
    from_here=st.booleans(),
)

declarations: SearchStrategy[Declaration] = st.builds(
    Declaration,
    file=texts,
    line=st.integers(1, 10_000),
    role=st.sampled_from(["published", "admitted", "internal", "dialled", "absent"]),
)

counts = st.integers(0, 2**40)

identifications: SearchStrategy[Identification] = st.builds(
    Identification,
    port=ports,
    transport=transports,
    protocol=maybe_texts,
    layers=st.lists(texts, max_size=3).map(tuple),
    tls=st.none()
    | st.builds(
        Tls,
        version=texts,
        alpn=maybe_texts,
        client_certificate_wanted=st.booleans(),
        certificate=st.none()
        | st.builds(
            Certificate,
            subject=texts,
            names=st.lists(texts, max_size=2).map(tuple),
            not_before=texts,
            not_after=texts,
            sha256=texts,
        ),
    ),
    product=maybe_texts,
    version=maybe_texts,
    confidence=st.floats(0, 1),
    reasons=st.lists(texts, max_size=2).map(tuple),
    behaviour=st.sampled_from([None, "silent", "closes", "resets", "echoes", "chatters", "contradicts"]),
    cost=st.none() | st.builds(Cost, connections=counts, bytes_sent=counts, bytes_received=counts, duration_ms=counts),
    transcript=maybe_texts,
    service_names=st.lists(texts, max_size=2).map(tuple),
    authentication=st.sampled_from([None, "none", "required"]),
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Draw one socket: who holds a port has no peer, who talks has one; owners are there or missed for a reason."""
    direction = draw(st.sampled_from(["listen", "connect", "accept"]))
    transport = draw(st.sampled_from(["tcp", "udp"]))
    holding = ["listen", "bound"] if transport == "tcp" else ["unconnected"]
    talking = ["established", "close-wait", "time-wait"] if transport == "tcp" else ["established"]
    owners = tuple(draw(st.lists(processes, max_size=2, unique_by=lambda process: process.pid)))
    reasons = ["not permitted", "other namespace", "no process holds it", "closed before it could be read"]
    ipv6 = draw(st.booleans())
    perspective = draw(st.sampled_from(["live", "imported", "declared"]))
    if perspective != "live":
        reasons.append("not recorded")
    return Observation(
        observed_at=draw(times),
        host=draw(maybe_texts),
        perspective=perspective,  # type: ignore[arg-type]
        direction=direction,  # type: ignore[arg-type]  # drawn from its values
        transport=transport,  # type: ignore[arg-type]
        local=draw(endpoints),
        peer=None if direction == "listen" else draw(endpoints),
        socket_state=draw(st.sampled_from(holding if direction == "listen" else talking)),
        processes=owners,
        processes_missing=None if owners else draw(st.sampled_from(reasons)),
        unit=draw(maybe_texts),
        container=draw(maybe_texts),
        package=draw(maybe_texts),
        network_namespace=draw(st.none() | st.integers(1, 2**32)),
        network_type="ipv6" if ipv6 else "ipv4",
        interface=draw(maybe_texts),
        ipv6_only=draw(st.booleans()) if ipv6 and direction == "listen" else None,
        inode=draw(st.none() | st.integers(0, 2**32)),
        socket_user=draw(maybe_texts),
        cgroup=draw(st.none() | texts.map("/{}".format)),
        network_namespace_name=draw(maybe_texts),
        reachable_from=draw(st.sampled_from([None, "namespace", "host", "outside"])),
        in_flight=() if owners else tuple(draw(st.lists(processes, max_size=1))),
        container_runtime=draw(
            st.sampled_from([None, "docker", "podman", "containerd", "cri-o", "lxc", "systemd-nspawn"])
        ),
        container_name=draw(maybe_texts),
        container_image=draw(maybe_texts),
        activates=draw(maybe_texts),
        redirect=draw(st.none() | redirects) if direction == "listen" else None,
        declaration=draw(declarations) if perspective == "declared" else None,
        identification=draw(st.none() | identifications),
    )


# --------------------------------------------------------------------------------------------- the policy and a check

NASTY = (
    "\x1b[2J\x1b]0;owned\x07",
    "a\r\n::error::b\n\x85\u2028c\td",
    "<script>alert(1)</script>]]><!-- &amp; &#0;",
    "| cell | `code` | @everyone #1 [x](http://example.org) **b** \\",
    "%0A%0D::stop-commands::x,y:z",
    '"quoted", {0} {label="x"} \\n',
    "\u202eevil\u2066\u200b\ufeff\ufffe",
    "\udc80 \ud800 lone",
    "=1+1 'x'=1;2|perf=3",
    "/opt/" + "very-long/" * 1_000 + "daemon",
    "C:\\Program Files\\x y\\d.exe",
    "caf\xe9 \U0001f600 \x00 \x7f",
)
"""What somebody may call a process or a file, to harm whoever reads of it."""

hostile_texts = st.sampled_from(NASTY) | st.text(st.characters(), min_size=1, max_size=20)
"""Any text that is there, with surrogates and control characters."""

_hostile = st.none() | hostile_texts
_patterns = st.lists(hostile_texts, max_size=2).map(tuple)
places = st.integers(1, 10_000)

rules: SearchStrategy[Rule] = st.builds(
    Rule,
    effect=st.sampled_from(["expect", "allow", "forbid"]),
    port=st.lists(port_ranges, max_size=3).map(tuple),
    transport=st.lists(transports, max_size=2, unique=True).map(tuple),
    direction=st.sampled_from(["listen", "connect"]),
    address=_patterns,
    peer=_patterns,
    executable=_patterns,
    script=_patterns,
    name=_patterns,
    package=_patterns,
    unit=_patterns,
    image=_patterns,
    user=_patterns,
    protocol=_patterns,
    note=st.lists(st.sampled_from(sorted(NOTES)), max_size=2).map(tuple),
    host=_patterns,
    tag=_patterns,
    reason=_hostile,
    owner=_hostile,
    expires=st.none() | times,
    citation=_hostile,
    line=places,
    column=places,
)

policies: SearchStrategy[Policy] = st.builds(
    Policy,
    file=st.sampled_from(["ports.toml", "/etc/portulan/ports.toml", "./conf/my ports.toml"]) | hostile_texts,
    rules=st.lists(rules, max_size=3).map(tuple),
    tags=st.lists(st.builds(Tag, name=texts, hosts=_patterns), max_size=2).map(tuple),
    connections=st.sampled_from(["judged", "listed"]),
)

attentions = st.sampled_from(sorted(SEVERITY))

evidence: SearchStrategy[Evidence] = st.builds(
    Evidence,
    kind=st.sampled_from(["registry", "use", "process", "probe", "policy", "claim", "history"]),
    statement=hostile_texts,
    source=hostile_texts,
    weight=st.sampled_from(["decides", "supports", "contradicts", "context"]),
)

notes: SearchStrategy[Note] = st.builds(
    Note, rule=st.sampled_from(sorted(NOTES)), statement=hostile_texts, source=hostile_texts
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Draw a verdict on a socket whose processes, unit and container are called whatever somebody likes."""
    subject = draw(observations())
    owners = [
        replace(process, name=draw(_hostile), executable=draw(_hostile), user=draw(_hostile), command_line=None)
        for process in subject.processes
    ]
    subject = replace(
        subject,
        processes=tuple(owners),
        unit=draw(_hostile),
        container_name=draw(_hostile),
        interface=draw(_hostile),
        socket_user=draw(_hostile),
    )
    return Verdict(
        subject,
        judgement=draw(st.sampled_from(["expected", "forbidden", "registered", "elsewhere", "unexplained", "unknown"])),
        squats_on=draw(_hostile),
        attention=draw(attentions),
        rule=draw(st.sampled_from(sorted(RULES))),
        because=tuple(draw(st.lists(evidence, min_size=1, max_size=3))),
        advice=draw(_hostile),
        notes=tuple(draw(st.lists(notes, max_size=2))),
    )


@st.composite
def findings(draw: st.DrawFn, policy: Policy) -> Finding:
    """Draw a finding about a rule of a policy, or about none; of a socket, or of what is missing."""
    expected = draw(st.sampled_from((None, *policy.rules)))
    verdict = draw(st.none() | verdicts())
    line, column = (expected.line, expected.column) if expected else (1, 1)
    return Finding(
        rule=draw(st.sampled_from([*sorted(FINDINGS), *sorted(RULES)])),
        fingerprint=draw(st.text("0123456789abcdef", min_size=32, max_size=32).map("v1:{}".format)),
        title=draw(hostile_texts),
        attention=draw(attentions),
        location=Location(policy.file, line, column),
        port=draw(st.none() | ports),
        transport=draw(st.none() | transports),
        expected=expected,
        verdict=verdict,
        direction=draw(st.sampled_from(["listen", "connect"])),
        host=draw(_hostile),
        statement=draw(hostile_texts),
        advice=draw(_hostile),
        count=draw(st.integers(1, 1_000)) if verdict else 0,
    )


incompletes: SearchStrategy[Incomplete] = st.builds(Incomplete, what=hostile_texts, why=hostile_texts, hint=texts)


@st.composite
def checks(draw: st.DrawFn) -> Check:
    """Draw what came of a check."""
    policy = draw(policies)
    return Check(
        policy=policy,
        judged=draw(counts),
        hosts=tuple(draw(st.lists(_hostile, max_size=3, unique=True))),
        findings=tuple(draw(st.lists(findings(policy), max_size=4))),
        incomplete=tuple(draw(st.lists(incompletes, max_size=2))),
        asked=draw(st.booleans()),
    )
