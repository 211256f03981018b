"""The nouns: immutable values with no behaviour beyond their own invariants.

Every field of a type that Portulan prints as JSON is a key there, in this order and under this name. Field names are
the columns of IANA's registry, or names of OpenTelemetry and ECS.

Start-up is a feature, so these are not dataclasses: importing ``dataclasses`` for twelve of them costs more than twice
a bare interpreter. And a machine may have a hundred thousand sockets, so a value must be cheap to make: `Value` is a
tuple underneath, made in a fifth of the time that an object with slots takes. Its surface is that of a frozen dataclass
(keyword or positional arguments, defaults, equality within one type, hash, repr, no assignment), and a type checker
sees one; nothing relies on the tuple.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Any, ClassVar, Literal, Self, TypeVar, dataclass_transform

    V = TypeVar("V", bound="Value")

    Transport = Literal["tcp", "udp", "sctp", "dccp"]
    Tier = Literal["system", "user", "dynamic"]
    State = Literal["assigned", "reserved", "unassigned"]
    Registration = Literal["name-only", "dated", "referenced", "specified"]
    Direction = Literal["listen", "connect", "accept"]
    Relation = Literal["registered", "unofficial", "malicious"]
    Attestation = Literal["documented", "reported"]
    Distinct = Literal["own", "shared"]
    Perspective = Literal["live", "imported", "declared"]
    ExecutableStatus = Literal["present", "deleted", "in-memory", "unseen"]
    Replacement = Literal["same", "upgrade", "foreign"]
    Reach = Literal["namespace", "host", "outside"]
    ProcessesMissing = Literal[
        "not permitted", "other namespace", "no process holds it", "closed before it could be read", "not recorded"
    ]
    Role = Literal["published", "admitted", "internal", "dialled", "absent"]
    Redirector = Literal["nftables", "iptables", "ipvs", "docker-proxy"]
    EvidenceKind = Literal["registry", "use", "process", "probe", "policy", "claim", "history"]
    Weight = Literal["decides", "supports", "contradicts", "context"]
    Judgement = Literal[
        "expected", "forbidden", "registered", "known-unofficial", "elsewhere", "unexplained", "unknown"
    ]
    Attention = Literal["ok", "look", "investigate"]
    Authentication = Literal["none", "required"]
    Scope = Literal["user", "machine", "team"]
    EventKind = Literal["present", "appeared", "vanished", "changed", "closed"]

    class _Tuple:
        """What a type checker should know of the tuple underneath: next to nothing."""

        def __iter__(self) -> Iterator[Any]: ...

    def _tuplegetter(place: int, doc: None) -> object: ...
else:
    try:
        from _collections import _tuplegetter
    except ImportError:  # another Python than CPython

        def _tuplegetter(place: int, doc: None) -> property:  # noqa: ARG001  # the C function's signature
            return property(lambda value: tuple.__getitem__(value, place))

    _Tuple = tuple
    _make = tuple.__new__

    def dataclass_transform(**_options: object) -> object:
        """Stand in for ``typing.dataclass_transform``, which only a type checker needs."""
        return lambda decorated: decorated


TRANSPORTS: tuple[Transport, ...] = ("tcp", "udp", "sctp", "dccp")
"""Transports that share the port number space (RFC 6335, section 6), in the order used everywhere."""

PORTS = 65_536
"""How many port numbers there are; the largest is one less."""


def tier_of(port: int) -> Tier:
    """Name the range that a port number lies in (RFC 6335, section 6)."""
    if port < 1024:  # noqa: PLR2004  # the numbers of the RFC
        return "system"
    return "user" if port < 49152 else "dynamic"  # noqa: PLR2004


def base_name(path: str) -> str:
    r"""Return the file name in a path of Linux, macOS (``/``) or Windows (``C:\``, ``\\server``)."""
    return path.rpartition("\\" if is_of_windows(path) else "/")[2]


def is_of_windows(path: str) -> bool:
    r"""Tell whether a path is one of Windows: it begins with a drive (``C:\``) or a server (``\\server``)."""
    return path[1:3] == ":\\" or path.startswith("\\\\")


@dataclass_transform(frozen_default=True)
class ValueType(type):
    """Turns annotated names into the places of a tuple, and their values into defaults."""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> ValueType:
        """Build the class: one read-only attribute for each annotated name."""
        fields = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace[field] for field in fields if field in namespace}
        namespace.update({field: _tuplegetter(place, None) for place, field in enumerate(fields)})
        namespace["__slots__"] = ()
        made = super().__new__(cls, name, bases, namespace)
        made._fields = fields
        made._defaults = defaults
        return made


class Value(_Tuple, metaclass=ValueType):
    """An immutable value: equal to one of its type with the same fields, hashable, printed by its fields."""

    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]]
        _defaults: ClassVar[dict[str, Any]]

        @classmethod
        def of(cls, fields: Iterable[object]) -> Self:
            """Make a value of all its fields in their order, unchecked: a third of the price, where there are many."""
    else:
        of = classmethod(_make)

        def __new__(cls, *values: object, **named: object):  # noqa: ANN204  # the type checker has dataclass_transform
            """Take the fields in order, by name, or both; the rest by default."""
            if named or len(values) != len(cls._fields):
                values = cls._bind(values, named)
            return _make(cls, values)

        __hash__ = tuple.__hash__

    @classmethod
    def _bind(cls, values: tuple[object, ...], named: dict[str, object]) -> list[object]:
        """Put named arguments and defaults into the order of the fields."""
        bound = list(values)
        for field in cls._fields[len(values) :]:
            if field in named:
                bound.append(named.pop(field))
            elif field in cls._defaults:
                bound.append(cls._defaults[field])
            else:
                message = f"{cls.__name__}() needs {field!r}"
                raise TypeError(message)
        if named or len(bound) != len(cls._fields):
            message = f"{cls.__name__}() has no place for {', '.join(named) or 'so many values'}"
            raise TypeError(message)
        return bound

    def __eq__(self, other: object) -> bool:
        """Compare by type and fields."""
        return type(other) is type(self) and bool(_Tuple.__eq__(self, other))

    def __ne__(self, other: object) -> bool:
        """Compare by type and fields."""
        return not self == other

    def __repr__(self) -> str:
        """Show the fields, by name."""
        return f"{type(self).__name__}({', '.join(f'{f}={getattr(self, f)!r}' for f in self._fields)})"

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        """Pickle and copy through the constructor."""
        return type(self), self._astuple()

    def _astuple(self) -> tuple[object, ...]:
        return tuple(_Tuple.__iter__(self))


def replace(value: V, **changes: object) -> V:
    """Return a copy of a value with some fields changed. Raises TypeError for a field that it does not have."""
    fields = [*value]
    for name, changed in changes.items():
        if name not in value._fields:
            message = f"{type(value).__name__} has no {name!r}"
            raise TypeError(message)
        fields[value._fields.index(name)] = changed
    return type(value).of(fields)


# ---------------------------------------------------------------------------------------------------------- the map


class PortRange(Value):
    """Port numbers first to last, both included."""

    first: int
    last: int


class Citation(Value):
    """Where a fact can be read."""

    url: str
    title: str


class Assignment(Value):
    """One row of IANA's registry, verbatim but for the aliases collapsed onto it; an empty column is None.

    Rows that assign nothing (Unassigned, Reserved, removed ...) have the same shape without a service name.
    """

    service_name: str | None
    aliases: tuple[str, ...]
    ports: PortRange | None
    transport: Transport | None
    description: str | None
    assignee: str | None
    contact: str | None
    registration_date: str | None
    modification_date: str | None
    reference: str | None
    service_code: str | None
    unauthorized_use_reported: str | None
    assignment_notes: str | None


class Grade(Value):
    """How well a registration is documented: what IANA's row shows, and what is known beyond it, with reasons."""

    registration: Registration
    specification: Citation | None
    implemented_by: tuple[str, ...]
    reasons: tuple[str, ...]


class KnownUse(Value):
    """What a product is cited to do with a port: hold it (listen) or dial it on a peer (connect).

    `program_known`: the catalogue knows a program of the product on Linux, so that another program can be told from it.
    """

    product: str
    vendor: str | None
    ports: PortRange
    transport: Transport
    direction: Direction
    protocol: str | None
    relation: Relation
    role: str | None
    default: bool
    citation: Citation
    attestation: Attestation
    program_known: bool = False


class Executable(Value):
    """A program of a product. A `shared` one (interpreter, bundled ...) names nothing without a second fact.

    `services` are the IANA service names that the product is cited or named to serve; `serves` tells whether it is
    cited to hold any port at all, or runs as a unit. `speaks` are all service names of all protocols that it is cited
    to serve anywhere, with `services` and what lies near them; empty where none is known.
    """

    name: str
    system: str
    product: str
    vendor: str | None
    distinct: Distinct
    package: str | None
    path: str | None
    unit: str | None
    services: tuple[str, ...]
    citation: Citation
    attestation: Attestation
    serves: bool = False
    speaks: tuple[str, ...] = ()


class TransportEntry(Value):
    """What the map says of one (port, transport) pair; `other_rows` are IANA's rows that assign nothing."""

    transport: Transport
    state: State
    grade: Grade | None
    assignments: tuple[Assignment, ...]
    other_rows: tuple[Assignment, ...]


class Entry(Value):
    """What the map says of one port number, over all four transports."""

    port: int
    tier: Tier
    snapshot: str
    transports: tuple[TransportEntry, ...]
    known_uses: tuple[KnownUse, ...]

    def on(self, transport: str) -> TransportEntry:
        """Return the entry of one transport."""
        return self.transports[TRANSPORTS.index(transport)]


# ---------------------------------------------------------------------------------------------------- the territory


class Endpoint(Value):
    """An address and a port number on it. IPv4-mapped IPv6 addresses are written as IPv4."""

    address: str
    port: int


class Process(Value):
    """A process that holds a socket. What could not be read is None; of a program that a file names, `pid` is 0.

    `executable` is the running file (the target of /proc/PID/exe); `executable_status` tells whether that file is still
    there (`unseen`: that cannot be seen from here, as where somebody has mounts of his own);
    `executable_writable` is the first part of its path that somebody other than root can write, or None; on Windows it
    is always None, since it is not known there.

    Where somebody asked for provenance: `package` owns the file at that path; `executable_intact` tells whether what
    runs has the content that the package shipped; `restart_needed` whether another file of the package took its place
    (None: packages were not asked, or cannot be); `replaced_by` what that is, where files were read: the same content,
    what the package ships now, or what it does not. `script` is the file that the command line of an interpreter
    names, which whoever started it chose; `script_writable` what of its path others than root can write.
    """

    pid: int
    name: str | None
    executable: str | None
    command_line: tuple[str, ...] | None
    user: str | None
    started_at: datetime | None
    executable_status: ExecutableStatus | None = None
    executable_writable: str | None = None
    package: str | None = None
    executable_intact: bool | None = None
    restart_needed: bool | None = None
    replaced_by: Replacement | None = None
    script: str | None = None
    script_package: str | None = None
    script_writable: str | None = None


class Redirect(Value):
    """Where what arrives at a port is passed on to: `address` None is this machine, `port` None the same number.

    `rule` is the text of the rule, as the program prints it that made it; `ports` are those that it takes, of which the
    observation's is one; `from_here` tells that only connections from this machine come to it.
    """

    address: str | None
    port: int | None
    by: Redirector
    rule: str
    ports: PortRange
    from_here: bool = False


class Declaration(Value):
    """Where a file declares a port (`line` counts from 1), and for whom.

    role: others can reach what is `published`; a packet filter lets in what is `admitted`, whoever may hold it; what is
    `internal` stays within a container, a pod or a cluster; what is `dialled` is somebody else's port, which the
    declaring side connects to; what is `absent` the file says that nothing may hold (where there are `processes`, that
    nothing by their names may). `service` is what the file calls the one of its services whose port it is, where it has
    several; `profiles` are those of compose without which it is not started.
    """

    file: str
    line: int
    role: Role
    service: str | None = None
    profiles: tuple[str, ...] = ()


class Observation(Value):
    """One socket, as somebody saw it; or a port that is taken without one (socket_state `redirected`).

    direction: `listen` holds local.port (bound but not listening too: socket_state `bound`), `connect` dials peer.port,
    `accept` is a connection of a listener here. `processes_missing` says why no owner is known.
    `package` is the one that the executables of all its processes belong to.
    `socket_user` is the user who made the socket, known even where the process may not be read; `ipv6_only` is None but
    for IPv6 listeners; `cgroup` is the path of the control group, from which unit and container are read.
    `network_namespace_name` is what a namespace other than the looker's is called, by its number if nobody named it;
    `reachable_from` who can reach a listener, packet filters aside: programs of its namespace alone, others of the
    machine too, or other machines.
    `in_flight` are processes to which files have been sent that they have not taken yet: a socket that no process holds
    may be among those.
    `container_runtime`, `container_name` and `container_image` are what the runtime's files say of the container;
    `activates` is the service that systemd starts for the socket; `redirect` is where the port is passed on to.
    `declaration` is the place in a file, where a file declares the port (perspective `declared`); `identification` is
    what whoever saw it found to answer there, as scanners do. processes_missing is `not recorded` where the record of
    somebody else (perspective `imported`) or a file cannot tell.
    `system` is what runs there: `linux`, `macos`, `windows`, or as Python calls it (sys.platform); None where the
    record does not tell.
    """

    observed_at: datetime
    host: str | None
    perspective: Perspective
    direction: Direction
    transport: Transport
    local: Endpoint
    peer: Endpoint | None
    socket_state: str | None
    processes: tuple[Process, ...]
    processes_missing: ProcessesMissing | None
    unit: str | None
    container: str | None
    package: str | None
    network_namespace: int | None
    network_type: str | None = None
    interface: str | None = None
    ipv6_only: bool | None = None
    inode: int | None = None
    socket_user: str | None = None
    cgroup: str | None = None
    network_namespace_name: str | None = None
    reachable_from: Reach | None = None
    in_flight: tuple[Process, ...] = ()
    container_runtime: str | None = None
    container_name: str | None = None
    container_image: str | None = None
    activates: str | None = None
    redirect: Redirect | None = None
    declaration: Declaration | None = None
    identification: Identification | None = None
    system: str | None = None


class System(Value):
    """What an operating system does with numbers of its own accord.

    `ephemeral` are those that it gives to who dials, but for the `reserved` ones (ip_local_reserved_ports of Linux);
    `unprivileged_from` is the first that everybody may bind; `excluded` may be bound by nobody (Windows).
    `confined`: SELinux decides which program may bind which. `name`: as in `Observation.system`.
    """

    name: str
    ephemeral: PortRange
    reserved: tuple[PortRange, ...] = ()
    unprivileged_from: int = 0
    excluded: tuple[PortRange, ...] = ()
    confined: bool = False


class Incomplete(Value):
    """Something that was refused: what, why, and what the user can do."""

    what: str
    why: str
    hint: str


# ------------------------------------------------------------------------------------------------------ the question


class Certificate(Value):
    """The facts of a TLS server's certificate; times as the certificate has them, in UTC."""

    subject: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    sha256: str


class Tls(Value):
    """What a finished TLS handshake showed."""

    version: str
    alpn: str | None
    client_certificate_wanted: bool
    certificate: Certificate | None


class Cost(Value):
    """What a question cost the one asked."""

    connections: int
    bytes_sent: int
    bytes_received: int
    duration_ms: int


class Identification(Value):
    """What really answers on a port.

    `service_names` are the IANA names under which that protocol is registered. `authentication` tells whether it
    answered without one to what it guards, where it has been set up to, or wanted one; None where what it answered does
    not tell.
    """

    port: int
    transport: Transport
    protocol: str | None
    layers: tuple[str, ...]
    tls: Tls | None
    product: str | None
    version: str | None
    confidence: float
    reasons: tuple[str, ...]
    behaviour: str | None
    cost: Cost | None
    transcript: str | None
    service_names: tuple[str, ...] = ()
    authentication: Authentication | None = None


# -------------------------------------------------------------------------------------------------------- the verdict


class Evidence(Value):
    """One reason that a verdict can quote."""

    kind: EvidenceKind
    statement: str
    source: str
    weight: Weight


class Note(Value):
    """Something worth knowing that does not decide."""

    rule: str
    statement: str
    source: str


class Verdict(Value):
    """What to make of one observation, and why. `claims` are those on its port, and what each is to it."""

    subject: Observation
    judgement: Judgement
    squats_on: str | None
    attention: Attention
    rule: str
    because: tuple[Evidence, ...]
    advice: str | None
    notes: tuple[Note, ...]
    claims: tuple[Standing, ...] = ()


# ------------------------------------------------------------------------------------------------------ coordination


class Holder(Value):
    """The process that a hold lives and dies with: its pid says nothing without the boot and its start.

    `host` is what its machine is called, where that is known.
    """

    boot_id: str
    pid: int
    started_at: datetime
    host: str | None = None


class Claim(Value):
    """A number, or the first of a block of `size`, that somebody has for himself on both TCP and UDP, of both families.

    A reservation has no holder and stays until it is released or has expired; a hold ends with its holder. `owner` is
    who has it (`project/service`), `scope` for whom nobody else may: for the user, the machine, or the team that shares
    a ledger. `transport` is what it was claimed for; the other is reserved with it.
    """

    port: int
    transport: Transport
    scope: Scope
    owner: str
    purpose: str | None
    claimed_at: datetime
    expires_at: datetime | None
    holder: Holder | None
    size: int = 1


class Standing(Value):
    """What a claim is to a socket on one of its numbers.

    `own`: it is the claimant's; false: it is another's; None: that cannot be told from here. `statement` says by what,
    `source` where that was read; `place` is the ledger.
    """

    claim: Claim
    own: bool | None
    statement: str
    source: str
    place: str


# ----------------------------------------------------------------------------------------------------------- the time


class Event(Value):
    """What a watch saw of one socket at one moment.

    event: `present` was there when the watch began, `appeared`, `vanished`, `changed` its holder (`previous` held it
    before), `closed` was made and closed between two looks, so that nobody could read who it was. The verdict is None
    for what is no longer there.
    """

    at: datetime
    event: EventKind
    observation: Observation
    verdict: Verdict | None
    previous: tuple[Process, ...] | None


class Episode(Value):
    """What a recording knows of one way in which a port was used: by whom, first, last and how often.

    `count` is how many sockets there were. The port that the kernel gave to a dialling end is not kept, so connections
    of one program to one place are one episode.
    """

    first_seen_at: datetime
    last_seen_at: datetime
    count: int
    direction: Direction
    transport: Transport
    local_address: str
    local_port: int | None
    peer_address: str | None
    peer_port: int | None
    process_name: str | None
    executable: str | None
    user: str | None
    unit: str | None
    container: str | None
    processes_missing: ProcessesMissing | None
    judgement: Judgement | None
    attention: Attention | None
    rule: str | None
