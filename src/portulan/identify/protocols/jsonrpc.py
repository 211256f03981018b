"""JSON-RPC without HTTP (jsonrpc.org: versions 1 and 2), a message a line or one after the other.

Of its services two tell themselves apart: OVSDB (RFC 7047, section 4) and Electrum (electrumx.readthedocs.io,
"Protocol Methods").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer


def _number(nonce: bytes) -> str:
    return nonce[:8].hex()


def call(nonce: bytes) -> bytes:
    """Return a call of a method that is not there."""
    return b'{"jsonrpc": "2.0", "id": "%s", "method": "portulan", "params": []}\n' % _number(nonce).encode()


def list_databases(nonce: bytes) -> bytes:
    """Return OVSDB's question for the names of its databases (RFC 7047, section 4.1.1)."""
    return b'{"id": "%s", "method": "list_dbs", "params": []}\n' % _number(nonce).encode()


def server_version(nonce: bytes) -> bytes:
    """Return Electrum's first question."""
    return b'{"jsonrpc": "2.0", "id": "%s", "method": "server.version", "params": ["portulan", "1.4"]}\n' % (
        _number(nonce).encode()
    )


PROBES = (
    Probe("json-rpc", call, ("json-rpc",), rank=76),
    Probe("ovsdb", list_databases, ("ovsdb",), ports=(6640,), rank=86, after=("closes",)),
    Probe("electrum", server_version, ("electrum",), ports=(50001, 50002), rank=89),
)

_METHOD_NOT_FOUND, _PARSE_ERROR = -32601, -32700


def recognise(answer: Answer) -> Iterator[Match]:
    """Say json-rpc of an answer with our number or an error as the specification has it; ovsdb, electrum by results."""
    data = answer.data.strip()
    if not data.startswith(b"{") or data == answer.sent.strip():
        return
    try:
        told, _ = json.JSONDecoder().raw_decode(data.decode())
    except (ValueError, RecursionError):
        return
    if not isinstance(told, dict):
        return
    if told.get("method") == "echo" and told.get("id") == "echo":  # RFC 7047, section 4.1.11: asked when it is idle
        yield Match("ovsdb", LIKELY, "OVSDB's echo request", over=("json-rpc",))
    if answer.nonce and told.get("id") == _number(answer.nonce):
        yield from _answered(answer, told)
    elif told.get("jsonrpc") == "2.0" and "id" in told and _code(told) is not None:
        yield Match("json-rpc", LIKELY, "JSON-RPC error")


def _answered(answer: Answer, told: dict[str, Any]) -> Iterator[Match]:
    result, error = told.get("result"), told.get("error")
    if answer.probe == "ovsdb" and isinstance(result, list) and error is None:
        yield Match("ovsdb", CERTAIN, "OVSDB's list of databases", over=("json-rpc",), service_names=("ovsdb",))
    elif answer.probe == "electrum" and isinstance(result, list) and [type(item) for item in result] == [str, str]:
        product, _, version = result[0].partition(" ")
        named = product.isascii() and product.isprintable() and version.isprintable() and len(result[0]) < 80  # noqa: PLR2004  # a name
        name, release = (product, version or None) if named else (None, None)
        yield Match("electrum", CERTAIN, "Electrum's version", name, release, over=("json-rpc",))
    elif isinstance(error, (dict, str)) or result is not None:
        yield Match("json-rpc", CERTAIN, "JSON-RPC answer to our number")


def _code(told: dict[str, Any]) -> int | None:
    error = told.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None
