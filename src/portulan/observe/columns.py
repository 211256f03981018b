r"""Observations as columns of a table: the schema `portulan.observation/1`, to and from Arrow.

A row is an observation. After the column `schema`, columns have the names of `Observation`'s fields, in their order;
`local` and `peer` are two columns each (`local_address`, `local_port` ...). What consists of parts is a struct, several
of a kind are a list, what is None is null. Command lines have no column.

What is written comes back, times to the microsecond. Three things change: who reads a table has not seen it himself, so
that `live` becomes `imported`; what is no Unicode in a text is spelt out, as in JSON (`\udc80`); and a number that is
too large for its column becomes null.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from portulan.errors import UsageError
from portulan.model import (
    TRANSPORTS,
    Certificate,
    Cost,
    Declaration,
    Endpoint,
    Identification,
    Observation,
    PortRange,
    Process,
    Redirect,
    Tls,
)
from portulan.observe.readers.source import Bad

try:
    import pyarrow as pa
except ImportError as error:
    message = "Parquet needs the library pyarrow"
    raise UsageError(message, hint="pip install 'portulan[fleet]'") from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.model import Value

SCHEMA = "portulan.observation/1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------ kinds of column


class _Column:
    """Values of one Arrow type. Where one is `needed`, a row without it cannot be read."""

    nothing: object = None
    """The value where there is none."""

    def __init__(self, arrow: pa.DataType, *, needed: bool = False) -> None:
        self.arrow = arrow
        self._needed = needed

    @property
    def absent(self) -> object:
        """What is read where there is no value."""
        return Bad(0, "is missing") if self._needed else self.nothing

    def encode(self, values: Sequence[Any]) -> pa.Array:
        """Make a column of values; what does not fit in is made to."""
        if values.count(None) == len(values):
            return _nulls(self.arrow, len(values))
        try:
            return pa.array(values, self.arrow)
        except (ValueError, OverflowError):
            return pa.array([self._fit(value) for value in values], self.arrow)

    def decode(self, array: pa.Array) -> list[Any]:
        """Return the values of a column; in the place of one that cannot be is a `Bad`.

        Raises ArrowException where the column is of another type altogether.
        """
        values: list[Any] = array.cast(self.arrow).to_pylist()
        return [self.absent if value is None else value for value in values] if self._needed else values

    def _fit(self, value: Any) -> Any:  # noqa: ANN401  # whatever the model holds
        try:
            return pa.scalar(value, self.arrow).as_py()
        except (ValueError, OverflowError):
            return None


@lru_cache(64)
def _nulls(arrow: pa.DataType, length: int) -> pa.Array:
    """Return a column of nulls: most columns of most tables are, and one is kept in memory for all."""
    return pa.nulls(length, arrow)


class _Text(_Column):
    """Texts; where there are `words`, one of these."""

    def __init__(self, *words: str, needed: bool = False) -> None:
        super().__init__(pa.string(), needed=needed)
        self._words = frozenset((*words, None))

    def decode(self, array: pa.Array) -> list[Any]:
        try:
            values = super().decode(array)
        except UnicodeDecodeError:  # Arrow looks at texts no sooner than they are asked for
            values = [data and data.decode("utf-8", "backslashreplace") for data in array.cast(pa.binary()).to_pylist()]
        if len(self._words) == 1 or self._words.issuperset(values):
            return values
        known = (*self._words, self.absent)
        return [value if value in known else Bad(0, f"{value!r:.40} is none of its words") for value in values]

    def _fit(self, value: str | None) -> str | None:
        return value and value.encode("utf-8", "backslashreplace").decode()


class _Perspective(_Text):
    """How something was seen: whoever reads that has not seen it himself."""

    def __init__(self) -> None:
        super().__init__("live", "imported", "declared", needed=True)

    def decode(self, array: pa.Array) -> list[Any]:
        return ["imported" if value == "live" else value for value in super().decode(array)]


class _Time(_Column):
    """Aware times in UTC."""

    def __init__(self, *, needed: bool = False) -> None:
        super().__init__(pa.timestamp("us", tz="UTC"), needed=needed)

    def decode(self, array: pa.Array) -> list[Any]:
        return [
            self.absent if value is None else _time_of(value)
            for value in array.cast(self.arrow).cast(pa.int64()).to_pylist()
        ]


@lru_cache(1024)
def _time_of(microseconds: int) -> datetime | Bad:
    """Return a time: many rows have the same."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return Bad(0, "is in no calendar")


class _Many(_Column):
    """Tuples of what another column has one of."""

    nothing: object = ()

    def __init__(self, one: _Column) -> None:
        super().__init__(pa.list_(one.arrow))
        self._one = one

    def encode(self, values: Sequence[Any]) -> pa.Array:
        ends = pa.array([0, *accumulate(map(len, values))], pa.int32())
        return pa.ListArray.from_arrays(ends, self._one.encode([*chain.from_iterable(values)]))

    def decode(self, array: pa.Array) -> list[Any]:
        lengths = array.value_lengths().to_pylist()
        ones = self._one.decode(array.flatten())
        rest = iter(ones)
        found = [_same(tuple(islice(rest, length))) if length else () for length in lengths]
        if Bad not in {*map(type, ones)}:
            return found
        return [next((one for one in several if type(one) is Bad), several) for several in found]


@lru_cache(4096)
def _same(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return an equal tuple met before: many sockets have the same owners."""
    return values


class _Record(_Column):
    """Values of a type of the model, by the columns of its fields; a field without a column is not kept."""

    def __init__(self, make: type[Value], *, needed: bool = False, **columns: _Column) -> None:
        super().__init__(pa.struct([(name, column.arrow) for name, column in columns.items()]), needed=needed)
        self._make = make
        self._columns = columns

    def encode(self, values: Sequence[Any]) -> pa.Array:
        missing = [value is None for value in values]
        if all(missing):
            return _nulls(self.arrow, len(values))
        parts = []
        for name, column in self._columns.items():
            field = attrgetter(name)
            parts.append(column.encode([column.nothing if value is None else field(value) for value in values]))
        return pa.StructArray.from_arrays(parts, fields=list(self.arrow), mask=pa.array(missing))

    def decode(self, array: pa.Array) -> list[Any]:
        if not pa.types.is_struct(array.type):
            message = f"{array.type} where a record should be"
            raise pa.ArrowTypeError(message)
        if not array.null_count:
            return self._decode(array)
        made = iter(self._decode(array.drop_null()))
        return [next(made) if is_there else self.absent for is_there in array.is_valid().to_pylist()]

    def _decode(self, array: pa.StructArray) -> list[Any]:
        """Make values of the rows of a struct, none of which is null."""
        there = dict(zip([field.name for field in array.type], array.flatten(), strict=True))
        parts: list[list[Any]] = []
        bad: list[tuple[str, list[Any]]] = []
        for name in self._make._fields:
            column = self._columns.get(name)
            absent = None if column is None else column.absent
            part = [absent] * len(array) if column is None or name not in there else column.decode(there[name])
            parts.append(part)
            if Bad in {*map(type, part)}:
                bad.append((name, part))
        made: list[Any] = [*map(self._make.of, zip(*parts, strict=True))]
        for name, part in bad:
            for place, value in enumerate(part):
                if type(value) is Bad:
                    made[place] = Bad(0, f"{name} {value.why}")
        return made


# ----------------------------------------------------------------------------------------------------------- the schema

_NUMBER, _PORT, _FLAG = pa.int64(), pa.uint16(), pa.bool_()

_PROCESS = _Record(
    Process,
    pid=_Column(_NUMBER, needed=True),
    name=_Text(),
    executable=_Text(),
    user=_Text(),
    started_at=_Time(),
    executable_status=_Text("present", "deleted", "in-memory", "unseen"),
    executable_writable=_Text(),
    package=_Text(),
    executable_intact=_Column(_FLAG),
    restart_needed=_Column(_FLAG),
    replaced_by=_Text("same", "upgrade", "foreign"),
    script=_Text(),
    script_package=_Text(),
    script_writable=_Text(),
)

_REDIRECT = _Record(
    Redirect,
    address=_Text(),
    port=_Column(_PORT),
    by=_Text("nftables", "iptables", "ipvs", "docker-proxy", needed=True),
    rule=_Text(needed=True),
    ports=_Record(PortRange, needed=True, first=_Column(_PORT, needed=True), last=_Column(_PORT, needed=True)),
    from_here=_Column(_FLAG, needed=True),
)

_DECLARATION = _Record(
    Declaration,
    file=_Text(needed=True),
    line=_Column(_NUMBER, needed=True),
    role=_Text("published", "admitted", "internal", "dialled", "absent", needed=True),
)

_CERTIFICATE = _Record(
    Certificate,
    subject=_Text(needed=True),
    names=_Many(_Text(needed=True)),
    not_before=_Text(needed=True),
    not_after=_Text(needed=True),
    sha256=_Text(needed=True),
)

_IDENTIFICATION = _Record(
    Identification,
    port=_Column(_PORT, needed=True),
    transport=_Text(*TRANSPORTS, needed=True),
    protocol=_Text(),
    layers=_Many(_Text(needed=True)),
    tls=_Record(
        Tls,
        version=_Text(needed=True),
        alpn=_Text(),
        client_certificate_wanted=_Column(_FLAG, needed=True),
        certificate=_CERTIFICATE,
    ),
    product=_Text(),
    version=_Text(),
    confidence=_Column(pa.float64(), needed=True),
    reasons=_Many(_Text(needed=True)),
    behaviour=_Text(),
    cost=_Record(
        Cost,
        connections=_Column(_NUMBER, needed=True),
        bytes_sent=_Column(_NUMBER, needed=True),
        bytes_received=_Column(_NUMBER, needed=True),
        duration_ms=_Column(_NUMBER, needed=True),
    ),
    transcript=_Text(),
    service_names=_Many(_Text(needed=True)),
    authentication=_Text("none", "required"),
)


def _endpoint(*, needed: bool = False) -> _Record:
    return _Record(Endpoint, needed=needed, address=_Text(needed=True), port=_Column(_PORT, needed=True))


_OBSERVATION = _Record(
    Observation,
    observed_at=_Time(needed=True),
    host=_Text(),
    perspective=_Perspective(),
    direction=_Text("listen", "connect", "accept", needed=True),
    transport=_Text(*TRANSPORTS, needed=True),
    local=_endpoint(needed=True),
    peer=_endpoint(),
    socket_state=_Text(),
    processes=_Many(_PROCESS),
    processes_missing=_Text(
        "not permitted", "other namespace", "no process holds it", "closed before it could be read", "not recorded"
    ),
    unit=_Text(),
    container=_Text(),
    package=_Text(),
    network_namespace=_Column(_NUMBER),
    network_type=_Text(),
    interface=_Text(),
    ipv6_only=_Column(_FLAG),
    inode=_Column(_NUMBER),
    socket_user=_Text(),
    cgroup=_Text(),
    network_namespace_name=_Text(),
    reachable_from=_Text("namespace", "host", "outside"),
    in_flight=_Many(_PROCESS),
    container_runtime=_Text(),
    container_name=_Text(),
    container_image=_Text(),
    activates=_Text(),
    redirect=_REDIRECT,
    declaration=_DECLARATION,
    identification=_IDENTIFICATION,
    system=_Text(),
)


# ------------------------------------------------------------------------------------------------------------ the table

_FLAT = ("local", "peer")


def _columns() -> Iterator[pa.Field]:
    yield pa.field("schema", pa.string())
    for field in _OBSERVATION.arrow:
        if field.name in _FLAT:
            yield from [pa.field(f"{field.name}_{part.name}", part.type) for part in field.type]
        else:
            yield field


TABLE = pa.schema(list(_columns()))
"""The columns, in their order."""


def to_batch(observations: Sequence[Observation]) -> pa.RecordBatch:
    """Make rows of observations, in their order."""
    rows = _OBSERVATION.encode(observations)
    arrays = [_schemas(len(rows))]
    for field, array in zip(rows.type, rows.flatten(), strict=True):
        arrays.extend(array.flatten() if field.name in _FLAT else [array])
    return pa.RecordBatch.from_arrays(arrays, schema=TABLE)


@lru_cache(1)
def _schemas(length: int) -> pa.Array:
    return pa.repeat(SCHEMA, length)


def from_batch(batch: pa.RecordBatch, host: str | None = None) -> list[Observation | Bad]:
    """Make observations of rows: columns that we do not know are passed over, absent ones are null (or of that `host`).

    In the place of a row that is no observation is a `Bad`. Raises ArrowException where a column is of another type.
    """
    there = dict(zip(batch.schema.names, batch.columns, strict=True))
    if host is not None:
        there.setdefault("host", pa.repeat(host, batch.num_rows))
    for name in _FLAT:
        if (address := there.get(f"{name}_address")) is not None and (port := there.get(f"{name}_port")) is not None:
            there[name] = pa.StructArray.from_arrays([address, port], [*Endpoint._fields], mask=address.is_null())
    rows: list[Observation | Bad] = _OBSERVATION.decode(pa.StructArray.from_arrays([*there.values()], [*there]))
    if (schemas := there.get("schema")) is not None:
        for place, schema in enumerate(schemas.to_pylist()):
            if schema != SCHEMA:
                rows[place] = Bad(0, f"is of schema {schema!r:.40}")
    return rows
