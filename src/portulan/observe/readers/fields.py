"""An observation from the object that Portulan writes of it (portulan/schemas/lookup-1.json): the way back.

Each field has the type that the schema gives it, and no other is taken. What is missing has its default, since keys
were added within /1; what is not known is passed over.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from portulan.model import (
    PORTS,
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
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[Any], Any]

V = TypeVar("V", bound=Value)


def observation_of(document: object) -> Observation:
    """Return the observation that an object holds; one that was `live` is `imported` now.

    Raises ValueError with the field that is missing or wrong.
    """
    return _observation(document)


def identification_of(document: object) -> Identification:
    """Return the answer that an element of an identification's results describes; what it was at is not in it.

    Raises ValueError as `observation_of` does.
    """
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key not in {"address", "schema"}}
    return _identification(document)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(value, "a text")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(value, "true or false")


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _wrong(value, "a number")


def _port(value: object) -> int:
    if _number(value) < PORTS:
        return _number(value)
    raise _wrong(value, "a port number")


def _share(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise _wrong(value, "from 0 to 1")


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        raise _wrong(value, "a time") from None
    if at.tzinfo is None:
        raise _wrong(value, "a time with a zone")
    return at.astimezone(UTC)


def _one_of(*values: str) -> Read:
    def read(value: object) -> object:
        if value in values:
            return value
        raise _wrong(value, f"one of {', '.join(values)}")

    return read


def _maybe(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _many(read: Read) -> Read:
    def read_all(value: object) -> tuple[Any, ...]:
        if isinstance(value, list):
            return tuple([read(item) for item in value])
        raise _wrong(value, "a list")

    return read_all


def _value(kind: type[V], **reads: Read) -> Callable[[object], V]:
    """Make a reader of a value of the model out of readers of all its fields."""
    ways = [(name, reads[name], kind._defaults.get(name, _value)) for name in kind._fields]  # noqa: SLF001  # a value knows its defaults, as its constructor does

    def read(document: object) -> V:
        if not isinstance(document, dict):
            raise _wrong(document, "an object")
        fields = []
        for name, way, default in ways:
            if name in document:
                try:
                    fields.append(way(document[name]))
                except ValueError as error:
                    message = f"{name}: {error}"
                    raise ValueError(message) from None
            elif default is not _value:
                fields.append(default)
            else:
                message = f"no {name}"
                raise ValueError(message)
        return kind.of(fields)

    return read


def _wrong(value: object, what: str) -> ValueError:
    return ValueError(f"{str(value)[:40]!r} is not {what}")


@lru_cache(maxsize=4096)  # sockets of the same processes share them, as in a look at a machine
def _shared(processes: tuple[Process, ...]) -> tuple[Process, ...]:
    return processes


def _perspective(value: object) -> object:
    return "imported" if value == "live" else _one_of("imported", "declared")(value)


_maybe_text = _maybe(_text)
_maybe_boolean = _maybe(_boolean)
_maybe_number = _maybe(_number)
_transport = _one_of(*TRANSPORTS)
_endpoint = _value(Endpoint, address=_text, port=_port)

_process = _value(
    Process,
    pid=_number,
    name=_maybe_text,
    executable=_maybe_text,
    command_line=_maybe(_many(_text)),
    user=_maybe_text,
    started_at=_maybe(_time),
    executable_status=_maybe(_one_of("present", "deleted", "in-memory", "unseen")),
    executable_writable=_maybe_text,
    package=_maybe_text,
    executable_intact=_maybe_boolean,
    restart_needed=_maybe_boolean,
    replaced_by=_maybe(_one_of("same", "upgrade", "foreign")),
    script=_maybe_text,
    script_package=_maybe_text,
    script_writable=_maybe_text,
)


def _processes(value: object) -> tuple[Process, ...]:
    """Read a list of processes; null is what nobody recorded."""
    return () if value is None else _shared(_many(_process)(value))


_redirect = _value(
    Redirect,
    address=_maybe_text,
    port=_maybe(_port),
    by=_one_of("nftables", "iptables", "ipvs", "docker-proxy"),
    rule=_text,
    ports=_value(PortRange, first=_port, last=_port),
    from_here=_boolean,
)

_declaration = _value(
    Declaration, file=_text, line=_number, role=_one_of("published", "admitted", "internal", "dialled", "absent")
)

_certificate = _value(Certificate, subject=_text, names=_many(_text), not_before=_text, not_after=_text, sha256=_text)

_identification = _value(
    Identification,
    port=_port,
    transport=_transport,
    protocol=_maybe_text,
    layers=_many(_text),
    tls=_maybe(
        _value(
            Tls,
            version=_text,
            alpn=_maybe_text,
            client_certificate_wanted=_boolean,
            certificate=_maybe(_certificate),
        )
    ),
    product=_maybe_text,
    version=_maybe_text,
    confidence=_share,
    reasons=_many(_text),
    behaviour=_maybe(_one_of("silent", "closes", "resets", "echoes", "chatters", "contradicts")),
    cost=_maybe(_value(Cost, connections=_number, bytes_sent=_number, bytes_received=_number, duration_ms=_number)),
    transcript=_maybe_text,
    service_names=_many(_text),
    authentication=_maybe(_one_of("none", "required")),
)

_observation = _value(
    Observation,
    observed_at=_time,
    host=_maybe_text,
    perspective=_perspective,
    direction=_one_of("listen", "connect", "accept"),
    transport=_transport,
    local=_endpoint,
    peer=_maybe(_endpoint),
    socket_state=_maybe_text,
    processes=_processes,
    processes_missing=_maybe(
        _one_of(
            "not permitted",
            "other namespace",
            "no process holds it",
            "closed before it could be read",
            "not recorded",
        )
    ),
    unit=_maybe_text,
    container=_maybe_text,
    package=_maybe_text,
    network_namespace=_maybe_number,
    network_type=_maybe(_one_of("ipv4", "ipv6")),
    interface=_maybe_text,
    ipv6_only=_maybe_boolean,
    inode=_maybe_number,
    socket_user=_maybe_text,
    cgroup=_maybe_text,
    network_namespace_name=_maybe_text,
    reachable_from=_maybe(_one_of("namespace", "host", "outside")),
    in_flight=_processes,
    container_runtime=_maybe(_one_of("docker", "podman", "containerd", "cri-o", "lxc", "systemd-nspawn")),
    container_name=_maybe_text,
    container_image=_maybe_text,
    activates=_maybe_text,
    redirect=_maybe(_redirect),
    declaration=_maybe(_declaration),
    identification=_maybe(_identification),
    system=_maybe_text,
)
