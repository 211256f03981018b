"""The sentences a verdict quotes, each made from a record and carrying that record's source."""

from __future__ import annotations

from portulan.judge.program import SYSTEMD, is_interpreter, is_protected, source_of
from portulan.judge.rules import NOTES
from portulan.model import Evidence, Note, base_name, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from portulan.judge.program import Program
    from portulan.model import (
        Attention,
        Entry,
        Executable,
        Identification,
        KnownUse,
        Observation,
        PortRange,
        Process,
        Redirect,
        Transport,
        TransportEntry,
        Weight,
    )

    Width = Literal["inside", "some", "every"]

CROWD = 3
"""A number that more products than this are cited to hold is so shared that none of them speaks against another."""

WILDCARDS = frozenset(("0.0.0.0", "::"))  # to be told from others, not to be bound
"""The addresses that stand for all of them (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.2)."""

BROAD = 16
"""A cited range wider than this is a pool: it says nothing about one number in it; nor does a rule on such a range."""


ADVICE = {
    "PT104": "Find out what {program} {does}.",
    "PT106": "Find out who put {program} there, and what it {does}.",
    "PT109": "Find out why {program} speaks another protocol there than the map leads to expect.",
    "PT110": "Look at what {program} was started for: {arguments}",
    "PT115": "Find out what started the program, and what it {does}; its memory is all there is of it.",
    "PT116": "Look at what {program} passes them on to: {arguments}",
    "PT117": "Find out who made the rule, and look at what answers there.",
    "PT118": "See that it is the machine which that product is meant to dial.",
    "PT119": "Find out what {program} {does}: it is not the assigned service, or that does not work.",
    "PT120": "See whether {program} is well: it takes connections and does not greet.",
}
"""What to do next, by rule."""

DOES = "{does}"
"""Where advice names the number and the address of the socket."""

LOOK_AT_SCRIPT = "Look at the script or module that {program} runs: {arguments}"
LOOK_AT_SOCKETS = "See which unit it is for: systemctl list-sockets"
"""What to do next about an interpreter, and about the service manager."""

ARGUMENTS = "ps -ww -o args -p {pid}"
ARGUMENTS_ON_WINDOWS = "(Get-CimInstance Win32_Process -Filter ProcessId={pid}).CommandLine"
"""How to see what a program was started for: in a shell, and in PowerShell."""

SHOWN_BY = {"nftables": "nft list ruleset", "iptables": "iptables-save -t nat", "ipvs": "/proc/net/ip_vs"}
"""Where a rule that takes a port can be read again."""


# --------------------------------------------------------------------------------------------------- choosing records


def uses_like(entry: Entry, observation: Observation) -> list[KnownUse]:
    """Return the known uses of the socket's number in its transport and direction, in the entry's order."""
    direction = "connect" if observation.direction == "connect" else "listen"
    return [use for use in entry.known_uses if use.transport == observation.transport and use.direction == direction]


def contrary(entry: Entry, observation: Observation) -> list[KnownUse]:
    """Return the cited uses that speak against a program which is none of their products.

    Only unofficial uses do. Where a cited use is of the assigned service, or the service has a document, anybody may
    implement it. A number that is only ever cited as dialled by somebody belongs to that conversation: whoever else
    dials or holds it is out of place. A number that products are cited to hold may be dialled by any client of theirs;
    another holder is out of place unless the number is shared by a crowd. Nothing speaks against anybody where the
    catalogue knows no program of one of the products: it might be that one.
    """
    narrow = [
        use
        for use in entry.known_uses
        if use.transport == observation.transport and use.relation != "malicious" and is_narrow(use)
    ]
    if not narrow or is_documented(entry.on(observation.transport)):
        return []
    if any(use.relation == "registered" or not use.program_known for use in narrow):
        return []
    held = [use for use in narrow if use.direction == "listen"]
    if not held:
        return narrow
    if observation.direction == "connect" or len({use.product for use in held}) > CROWD:
        return []
    return held


def is_narrow(about: KnownUse | Redirect) -> bool:
    """Tell whether a use is cited for the number, or a rule made for it, and not for a pool that has it."""
    return about.ports.last - about.ports.first < BROAD


def is_range(observation: Observation) -> bool:
    """Tell whether it is a rule on several ports, and so about none of them."""
    redirect = observation.redirect
    return redirect is not None and redirect.ports.first != redirect.ports.last


def is_context(observation: Observation) -> bool:
    """Tell whether it is a rule on so many ports that it says little of one of them."""
    return observation.redirect is not None and not is_narrow(observation.redirect)


def width_of(observation: Observation) -> Width | None:
    """Say how widely a listener can be reached, packet filters aside; None for other sockets.

    `inside`: by programs of its own network namespace alone; `every`: at all addresses of the network that was looked
    from. Loopback is RFC 1122, section 3.2.1.3, and RFC 4291, section 2.5.3.
    """
    if observation.direction != "listen":
        return None
    address = observation.local.address
    if observation.reachable_from == "namespace" or address.startswith("127.") or address == "::1":
        return "inside"
    return "every" if address in WILDCARDS and observation.network_namespace_name is None else "some"


def is_documented(on: TransportEntry) -> bool:
    """Tell whether a document says what the assigned service is, cited by IANA's row or known beyond it."""
    grade = on.grade
    return grade is not None and (grade.specification is not None or grade.registration in {"referenced", "specified"})


def is_only_dialled(uses: Sequence[KnownUse]) -> bool:
    """Tell whether every one of some uses dials the number, and there is one."""
    return bool(uses) and all(use.direction == "connect" for use in uses)


# ---------------------------------------------------------------------------------------------------------- the map


def say_map(entry: Entry, transport: Transport, state: str, *, agrees: bool) -> Evidence:
    """State what IANA's registry says of the number: its `state` in words."""
    weight: Weight = "supports" if agrees else "context"
    return Evidence.of(("registry", f"{entry.port}/{transport} {state}", f"iana:{entry.snapshot}", weight))


def describe_state(on: TransportEntry) -> str:
    """Put the state of a (port, transport) pair and its documentation into words."""
    if on.state != "assigned":
        return f"is {on.state}"
    names = [assignment.service_name for assignment in on.assignments if assignment.service_name]
    if not names:
        return f"is assigned without a service name: {one_line(on.assignments[0].description or '')}"
    named = f"is assigned to {', '.join(dict.fromkeys(names))}"
    if on.grade is None or on.grade.registration in {"name-only", "dated"}:
        return f"{named}; the row cites no document"
    reference = next((assignment.reference for assignment in on.assignments if assignment.reference), "")
    return f"{named}; the row cites {one_line(reference).replace('][', ', ').strip('[]')}"


def say_uses(uses: Sequence[KnownUse], weight: Weight) -> list[Evidence]:
    """State each use with its attestation."""
    return [Evidence("use", describe_use(use), use.citation.url, weight) for use in uses]


def describe_use(use: KnownUse) -> str:
    """Put a known use into a sentence."""
    verb = "dial" if use.direction == "connect" else "hold"
    purpose = f" for {use.protocol.upper()}" if use.protocol else f" for {use.role}" if use.role else ""
    return f"{use.product} is {use.attestation} to {verb} {describe_ports(use.ports)}/{use.transport}{purpose}"


def describe_ports(ports: PortRange) -> str:
    """Write one number, or the first and the last."""
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


# ----------------------------------------------------------------------------------------------------- the territory


def say_product(program: Program, row: Executable) -> Evidence:
    """State whose program it is, by a row of the catalogue that is believed."""
    why = f" ({program.second_fact})" if program.second_fact else ""
    return replace(program.says, statement=f"{program.path or 'it'} is a program of {row.product}{why}")


def say_service_manager(program: Program, observation: Observation) -> Evidence:
    """State that the service manager holds a socket for a unit which it has not started."""
    unit = f" ({observation.unit})" if observation.unit else ""
    for_whom = f"for {observation.activates}{unit}, which" if observation.activates else f"for a unit{unit} that"
    statement = f"{program.path} holds it {for_whom} it starts when somebody connects"
    return replace(program.says, statement=statement)


def say_redirect(redirect: Redirect, transport: Transport) -> Evidence:
    """State that a rule takes the number, or a range of numbers, and no socket."""
    ports = redirect.ports
    taken = "it" if ports.first == ports.last else f"{describe_ports(ports)}/{transport}"
    whose = " for connections from this machine" if redirect.from_here else ""
    what = "what they send" if redirect.from_here else "what arrives"
    statement = f"a rule of {redirect.by} takes {taken}{whose}, no socket: {what} is {describe_redirect(redirect)}"
    return Evidence("process", f"{statement} ({redirect.rule})", SHOWN_BY.get(redirect.by, redirect.by), "decides")


def describe_redirect(redirect: Redirect) -> str:
    """Say where what arrives is passed on to."""
    return f"passed on to {describe_target(redirect)}"


def describe_target(redirect: Redirect) -> str:
    """Name the place that connections are passed on to."""
    address, port = redirect.address, redirect.port
    if address is None:
        return "this machine itself" if port is None else f"port {port} of this machine"
    return address if port is None else f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def say_relay(program: Program, redirect: Redirect | None) -> Evidence:
    """State that the program stands for something else, and for what as far as it is known."""
    to = f" to {describe_target(redirect)}" if redirect is not None else ""
    statement = f"{program.path} passes connections on{to}: what answers them is something else"
    return replace(program.says, statement=statement)


def say_not_the_cited(program: Program, against: Sequence[KnownUse]) -> Evidence:
    """State that the program is none of the products that the number is cited for."""
    products = list(dict.fromkeys([use.product for use in against]))
    vendor = against[0].vendor or ""
    whose = vendor if len(products) == 1 and vendor and vendor in products[0] else " or ".join(products[:CROWD])
    statement = f"{program.path or 'the program'} is not an executable of {whose}"
    own = next((row.product for row in program.rows), None)
    if own is not None:
        statement += f": it is a program of {own}"
        bundlers = {row.product for row in program.candidates}.intersection(products)
        if bundlers:
            statement += f", which {min(bundlers)} also bundles, and so names nothing by itself"
    return replace(program.says, statement=statement)


def say_missing_owner(observation: Observation) -> Evidence:
    """State why no owner of a socket is known."""
    missing = observation.processes_missing
    if observation.declaration is not None:
        place = f"{observation.declaration.file}:{observation.declaration.line}"
        says = "says that nothing may hold it" if observation.declaration.role == "absent" else "declares it"
        return Evidence("process", f"a file {says}; what runs was not looked at", place, "decides")
    if missing == "no process holds it":
        if observation.system == "windows" and observation.direction == "listen":
            statement = "the process that made this socket has ended; one that inherited it may hold it"
        elif observation.inode:
            statement = (
                "no process holds this socket: the kernel does (an NFS server, WireGuard, a tunnel), "
                "or its descriptor is on its way between two processes"
            )
        else:
            statement = "no process holds this socket: the connection is ending or not yet accepted"
        return Evidence("process", statement, source_of(observation), "decides")
    live = observation.perspective == "live"
    if observation.processes:
        statement = "a process holds it, but its executable may not be read"
        if not live:
            name = next((process.name for process in observation.processes if process.name), "a process")
            statement = f"{name} held it; whoever recorded it did not say from which file that ran"
        return Evidence("process", statement, source_of(observation, observation.processes[0]), "decides")
    why = {
        "not permitted": "its owner may not be read by this user" if live else "its owner could not be read",
        "other namespace": "its owner is in another process namespace, a container or a host around this one",
        "closed before it could be read": "it was closed before its owner could be read",
        "not recorded": "a scan sees that somebody holds it, not who"
        if live
        else "whoever recorded it did not say who holds it",
        None: "its owner is not known",
    }[missing]
    unit = f"; its unit is {observation.unit}" if observation.unit else ""
    user = f"; it was made by {observation.socket_user}" if observation.socket_user else ""
    return Evidence("process", f"{why}{unit}{user}", source_of(observation), "decides")


def say_provenance(observation: Observation) -> tuple[Evidence, ...]:
    """State where the programs and scripts of a socket come from, as far as somebody asked."""
    said: list[Evidence] = []
    for process in observation.processes:
        package, path = process.package, process.executable
        weight: Weight = "context"
        statement = ""
        differs = process.executable_intact is False or process.replaced_by == "foreign"
        if package is not None and not differs:  # else the verdict says so
            statement = f"{path} is of the package {package}"
            if process.replaced_by == "upgrade":
                statement += ", which was upgraded after the process started"
            elif process.restart_needed:
                statement += ", by its path: the file was replaced after the process started"
            else:
                weight = "supports"
                statement += ", and matches it" if process.executable_intact else ""
        elif package is None and process.restart_needed is not None and process.executable_status == "present":
            statement = f"{path} is in no package"
        if statement:
            said.append(Evidence("process", statement, source_of(observation, process), weight))
        if process.script is not None:
            whose = f"of the package {process.script_package}" if process.script_package else "which is in no package"
            statement = f"the command line, which whoever starts it chooses, names {process.script}, {whose}"
            live = observation.perspective == "live"
            source = f"/proc/{process.pid}/cmdline" if live else observation.perspective
            said.append(Evidence("process", statement, source, "context"))
    return tuple({item.statement: item for item in reversed(said)}.values())[::-1] if said else ()


def say_probe(identification: Identification, weight: Weight) -> Evidence:
    """State what answered: when Portulan asked, or somebody else, who then is the source; or what was seen instead."""
    if identification.protocol is None:
        seen = next(iter(identification.reasons), None) or identification.behaviour or "nobody answered"
        return Evidence("probe", f"asked: {seen}", f"{identification.port}/{identification.transport}", weight)
    inside = " inside TLS" if "tls" in identification.layers[:-1] else ""
    spoken = f"{identification.protocol}{inside}" + (f" ({identification.product})" if identification.product else "")
    if identification.cost is None and identification.reasons:
        return Evidence("probe", f"what answered there spoke {spoken}", identification.reasons[0], weight)
    statement = f"what answers there speaks {spoken}"
    return Evidence("probe", statement, f"{identification.port}/{identification.transport}", weight)


def say_silence(identification: Identification, service: str, source: str) -> Evidence:
    """State that the first word of a service did not come, with where it is written that the server says it."""
    seen = next(iter(identification.reasons), None) or identification.behaviour
    return Evidence("probe", f"a server of {service} speaks first; asked: {seen}", source, "decides")


# ----------------------------------------------------------------------------------------------- advice and notes


def advise(rule: str, observation: Observation) -> str:
    """Say what to do next, by a rule that has some advice."""
    process = next((process for process in observation.processes if process.executable), None)
    advice = ADVICE[rule]
    if rule == "PT116" and observation.redirect is not None:
        return f"Look at what answers at {describe_target(observation.redirect)}."
    if rule == "PT110" and process and process.executable and process.executable_status != "unseen":
        if process.executable in SYSTEMD:
            advice = LOOK_AT_SOCKETS
        elif is_interpreter(base_name(process.executable)):
            if process.script is not None:
                return f"Look at {process.script}, which {process.executable} was told to run."
            advice = LOOK_AT_SCRIPT
    program, pid = (process.executable, process.pid) if process else ("the program", "PID")
    if observation.direction == "connect" and observation.peer is not None:
        does = f"sends to {observation.peer.address} port {observation.peer.port}"
    else:
        does = f"serves on port {observation.local.port}"
    arguments = (ARGUMENTS_ON_WINDOWS if observation.system == "windows" else ARGUMENTS).format(pid=pid)
    said = advice.format(program=program, arguments=arguments, does=does)
    elsewhere = observation.perspective != "live" and said.endswith((arguments, LOOK_AT_SOCKETS))
    return f"{said}, on the machine that it was seen on" if elsewhere else said


def notes_on(  # noqa: PLR0917  # the six that it depends on
    entry: Entry,
    on: TransportEntry,
    observation: Observation,
    attention: Attention,
    found: Sequence[Program],
    company: frozenset[str],
) -> tuple[Note, ...]:
    """Collect what is worth knowing and does not decide; the last two as in `exposure.notes_on_exposure`."""
    if is_range(observation):
        return ()
    from portulan.judge.exposure import notes_on_exposure  # noqa: PLC0415  # nor does a page need it that nobody is on

    notes: list[Note] = []
    for process in observation.processes:
        if process.executable_writable is not None:
            notes.append(note("PT301", f"{process.executable_writable} can be written by others than root"))
        notes += _notes_on_file(process)
        if process.script_writable is not None:
            can_write = f"{process.script_writable} can be written by others than root"
            notes.append(note("PT307", f"the command line names {process.script}: {can_write}"))
        if observation.system == "windows" and attention == "ok" and is_protected(process.executable or ""):
            said = f"who can write {process.executable} was not read: as Windows comes, administrators alone can"
            notes.append(note("PT308", said))
    # A number's history says nothing against somebody who has explained himself.
    for use in entry.known_uses if attention != "ok" else ():
        if use.relation == "malicious" and use in uses_like(entry, observation):
            statement = f"{use.product} has used this number ({use.role}): history, not proof"
            notes.append(note("PT303", statement, use.citation.url))
    reported = [row.unauthorized_use_reported for row in on.assignments if row.unauthorized_use_reported]
    reported = [text for text in reported if str(entry.port) in text or not any(map(str.isdigit, text))]
    notes += [note("PT304", f"IANA notes: {one_line(text)}") for text in reported]
    notes += notes_on_exposure(observation, entry.port, found, company)
    return tuple(dict.fromkeys(notes)) if notes else ()


def _notes_on_file(process: Process) -> list[Note]:
    """Collect what is worth knowing of the file that a process was started from, and of what took its place."""
    path, package, since = process.executable, process.package, "after the process started"
    notes: list[Note] = []
    if process.restart_needed:
        upgraded = process.replaced_by == "upgrade"
        what = f"the package {package} was upgraded" if upgraded else "the file was replaced"
        notes.append(note("PT305", f"{path} runs on as it was: {what} {since}"))
    elif process.replaced_by == "same":
        notes.append(note("PT302", f"{path} was replaced by the same file {since}: no restart is needed"))
    elif process.executable_status == "deleted":
        notes.append(note("PT302", f"{path} was deleted or replaced {since}"))
    if process.executable_intact is False:
        notes.append(note("PT306", f"{path} is not what the package {package} shipped"))
    elif process.replaced_by == "foreign":
        notes.append(note("PT306", f"what lies at {path} now is not what the package {package} shipped"))
    return notes


def note(rule: str, statement: str, source: str | None = None) -> Note:
    """Make a note; where it has no source of its own, by that of its kind."""
    return Note(rule, statement, source or NOTES[rule][1])


def one_line(text: str) -> str:
    """Fold a text of several lines into one."""
    return " ".join(text.split())
