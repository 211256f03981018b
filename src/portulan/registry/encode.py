"""Writing the index: from statements about ranges of port numbers to the bytes that `index` reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.errors import RegistryError
from portulan.model import PORTS, TRANSPORTS
from portulan.registry.index import FIELD, HEADER, ITEM, MAGIC, NONE, STATES, VERSION, check_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from portulan.model import Assignment, Executable, Grade, KnownUse, Value
    from portulan.registry.compile import Compiled, Run


_MARKS = re.compile(f"[{NONE}{FIELD}{ITEM}]")

SNAPSHOT = 32
"""How many bytes of the header name the snapshot."""


class Heap:
    """The records, each stored once; a reference is an offset into the file."""

    def __init__(self, start: int) -> None:
        """Begin at an offset."""
        self._start = start
        self._data = bytearray()
        self._places: dict[bytes, int] = {}
        self._values: dict[int, tuple[object, int]] = {}

    def put(self, payload: bytes) -> int:
        """Store a record, or find it, and return its offset."""
        place = self._places.get(payload)
        if place is None:
            place = self._start + len(self._data)
            body = _u32(len(payload)) + payload
            self._data += _u32(check_of(body)) + body
            self._places[payload] = place
        return place

    def put_value(self, value: Value, render: Callable[[Any], Iterable[str | tuple[str, ...] | None]]) -> int:
        """Store a value by its texts. The same object is rendered once: blocks of rows stand under many numbers."""
        known = self._values.get(id(value))
        if known is None:
            # The value is kept beside its place, so that its id stays its own.
            known = self._values[id(value)] = value, self.put(FIELD.join(map(_text, render(value))).encode())
        return known[1]

    def __bytes__(self) -> bytes:
        """Return all records."""
        return bytes(self._data)


def encode_index(snapshot: str, compiled: Compiled, beside: tuple[int, int] = (0, 0)) -> bytes:
    """Return the file. `beside` is size and modification time (ns) of the packaged index, for one that is not it."""
    # The sizes of all tables before the heap are known but for the keys, which are counted first.
    keys_count = len(compiled.services) + len(compiled.executables) + len(compiled.protocols)
    ports_at = HEADER
    states_at = ports_at + 4 * PORTS
    keys_at = states_at + len(TRANSPORTS) * PORTS
    heap = Heap(keys_at + 4 * keys_count)

    ports = bytearray()
    states = [bytearray() for _ in TRANSPORTS]
    for run in compiled.runs:
        length = run.last - run.first + 1
        if run.first != len(ports) // 4 or length < 1:
            message = f"the runs of port numbers do not meet at {run.first}"
            raise ValueError(message)
        ports += _u32(heap.put(_run_payload(run, heap))) * length
        for codes_so_far, entry in zip(states, run.transports, strict=True):
            codes_so_far.extend(bytes([STATES.index(entry.state)]) * length)
    if len(ports) != 4 * PORTS:
        message = f"the runs of port numbers end at {len(ports) // 4}"
        raise ValueError(message)

    bodies = _bodies(compiled, heap)
    if len(bodies) != keys_count:
        message = "two names differ only by case"
        raise ValueError(message)
    keys = b"".join(_u32(heap.put(key + b"\x00" + body)) for key, body in sorted(bodies.items()))

    codes = b"".join(states)
    rest = bytes(ports) + codes + keys + bytes(heap)
    header = (
        b"".join(map(_u32, (ports_at, states_at, check_of(codes), keys_at, keys_count, check_of(keys))))
        + b"".join(number.to_bytes(8, "little") for number in beside)
        + _snapshot(snapshot)
    ).ljust(HEADER - 20, b"\x00")
    return MAGIC + _u32(VERSION) + _u32(HEADER + len(rest)) + _u32(check_of(header)) + header + rest


def _bodies(compiled: Compiled, heap: Heap) -> dict[bytes, bytes]:
    """Return what stands under each key."""
    bodies = {}
    for name, rows in compiled.services.items():
        bodies[f"s:{name.lower()}".encode()] = _refs(heap.put_value(row, _assignment) for row in rows)
    for key, programs in compiled.executables.items():
        bodies[key.encode()] = _refs(heap.put_value(program, _executable) for program in programs)
    for protocol, names in compiled.protocols.items():
        bodies[f"p:{protocol.lower()}".encode()] = FIELD.join(names).encode()
    return bodies


def _run_payload(run: Run, heap: Heap) -> bytes:
    head = [_u16(run.first), _u16(run.last), bytes([STATES.index(entry.state) for entry in run.transports])]
    places: list[int] = []
    for entry in run.transports:
        grade = heap.put_value(entry.grade, _grade) if entry.grade else 0
        head += [_u32(grade), _u16(len(entry.assignments)), _u16(len(entry.other_rows))]
        places += [heap.put_value(row, _assignment) for row in entry.assignments]
        places += [heap.put_value(row, _assignment) for row in entry.other_rows]
    places += [heap.put_value(use, _use) for use in run.known_uses]
    return b"".join([*head, _u16(len(run.known_uses)), _refs(places)])


def _assignment(row: Assignment) -> Iterable[str | tuple[str, ...] | None]:
    first, last = (str(row.ports.first), str(row.ports.last)) if row.ports else (None, None)
    return (
        row.service_name,
        row.aliases or None,
        first,
        last,
        row.transport,
        row.description,
        row.assignee,
        row.contact,
        row.registration_date,
        row.modification_date,
        row.reference,
        row.service_code,
        row.unauthorized_use_reported,
        row.assignment_notes,
    )


def _use(use: KnownUse) -> Iterable[str | None]:
    return (
        use.product,
        use.vendor,
        str(use.ports.first),
        str(use.ports.last),
        use.transport,
        use.direction,
        use.protocol,
        use.relation,
        use.role,
        "yes" if use.default else "no",
        use.citation.url,
        use.citation.title,
        use.attestation,
        "yes" if use.program_known else "no",
    )


def _executable(program: Executable) -> Iterable[str | tuple[str, ...] | None]:
    return (
        program.name,
        program.system,
        program.product,
        program.vendor,
        program.distinct,
        program.package,
        program.path,
        program.unit,
        program.services or None,
        program.citation.url,
        program.citation.title,
        program.attestation,
        "yes" if program.serves else "no",
        program.speaks or None,
    )


def _grade(grade: Grade) -> Iterable[str | tuple[str, ...] | None]:
    citation = grade.specification
    return (
        grade.registration,
        citation.url if citation else None,
        citation.title if citation else None,
        grade.implemented_by or None,
        grade.reasons or None,
    )


def _refs(places: Iterable[int]) -> bytes:
    return b"".join(map(_u32, places))


def _text(field: str | tuple[str, ...] | None) -> str:
    if field is None:
        return NONE
    texts = (field,) if isinstance(field, str) else field
    for text in texts:
        if _MARKS.search(text):
            message = f"a text has a control character: {text!r}"
            raise RegistryError(message)
    return ITEM.join(texts)


def _snapshot(text: str) -> bytes:
    data = text.encode()
    if not 0 < len(data) <= SNAPSHOT:
        message = f"{text!r} cannot be the name of a snapshot"
        raise RegistryError(message, hint="a date such as 2026-02 is one")
    return data.ljust(SNAPSHOT, b"\x00")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "little")
