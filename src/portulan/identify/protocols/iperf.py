"""iperf3 (its source, iperf_api.h, names the states): a client sends a cookie of 37 bytes, the server asks for more.

The state is one byte, so the next step is taken too: parameters of a test without a stream, and the connection ends.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_COOKIE = 37
PARAM_EXCHANGE, CREATE_STREAMS, ACCESS_DENIED, SERVER_ERROR = 9, 10, 0xFF, 0xFE
_WISH = json.dumps({"tcp": True, "omit": 0, "time": 1, "parallel": 1, "len": 1024, "client_version": "3.0"}).encode()


def cookie(nonce: bytes) -> bytes:
    """Return a cookie: 36 letters and a zero."""
    return (nonce.hex().encode() + b"abcd")[: _COOKIE - 1] + b"\0"


PARAMETERS = Probe("iperf3-parameters", fixed(len(_WISH).to_bytes(4, "big") + _WISH), ("iperf3",), rank=99)
COOKIE = Probe("iperf3", cookie, ("iperf3",), ports=(5201,), rank=70, in_tls=False, after=("silent",))
PROBES = (COOKIE, PARAMETERS)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say iperf3 of the states that follow a cookie and parameters."""
    data = answer.data
    if answer.probe == PARAMETERS.name:
        if data == bytes([CREATE_STREAMS]) and answer.before == bytes([PARAM_EXCHANGE]):
            yield Match("iperf3", CERTAIN, "iperf3 asks for streams")
    elif data == bytes([PARAM_EXCHANGE]) and answer.probe == COOKIE.name:
        yield Match("iperf3", HINT, "iperf3 asks for parameters", confirm=PARAMETERS)
    elif data == bytes([PARAM_EXCHANGE]) and len(answer.sent) >= _COOKIE:  # whatever it was, it was long enough
        yield Match("iperf3", HINT, "iperf3 asks for parameters", confirm=COOKIE, again=True)
