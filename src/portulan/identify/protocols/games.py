"""Game servers that tell of themselves by one datagram.

Source: developer.valvesoftware.com, "Server queries". Quake III: its out-of-band command getstatus, as its source,
released by id Software, documents it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_OUT_OF_BAND = b"\xff\xff\xff\xff"
_INFO = _OUT_OF_BAND + b"TSource Engine Query\0"
_CHALLENGE, _TOLD, _TOLD_BEFORE = b"A", b"I", b"m"  # S2C_CHALLENGE, A2S_INFO, and that of GoldSource
_STATUS = _OUT_OF_BAND + b"statusResponse\n\\"


def _token(nonce: bytes) -> bytes:
    return nonce[:8].hex().encode()


PROBES = (
    Probe("a2s", fixed(_INFO), ("a2s",), "udp", (27015,), rank=50, in_tls=False),
    Probe(
        "quake3",
        lambda nonce: _OUT_OF_BAND + b"getstatus " + _token(nonce) + b"\n",
        ("quake3",),
        "udp",
        (27960, 26000),
        rank=54,
        in_tls=False,
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say a2s of what a Source server tells or asks back, quake3 of a status with our token."""
    data = answer.data
    if answer.transport != "udp" or not data.startswith(_OUT_OF_BAND):
        return
    kind, body = data[4:5], data[5:]
    if kind == _CHALLENGE and len(body) == 4:  # noqa: PLR2004  # the challenge, to be sent back
        again = Probe("a2s-info", fixed(_INFO + body), ("a2s",), "udp", in_tls=False)
        yield Match("a2s", LIKELY, "A2S challenge", confirm=again)
    elif kind == _TOLD and body.count(b"\0") >= 4:  # noqa: PLR2004  # four texts
        name, level, folder, game = body[1:].split(b"\0")[:4]
        told = (("name", name), ("map", level), ("folder", folder), ("game", game))
        yield Match("a2s", CERTAIN, "A2S information", facts=tuple([(key, text_of(text)) for key, text in told]))
    elif kind == _TOLD_BEFORE and body.count(b"\0") >= 5 and b":" in body.split(b"\0")[0]:  # noqa: PLR2004  # address first
        yield Match("a2s", LIKELY, "A2S information of GoldSource")
    elif data.startswith(_STATUS):
        parts = text_of(data[len(_STATUS) :].split(b"\n")[0], 2_000).split("\\")
        values = dict(zip(parts[::2], parts[1::2], strict=False))
        ours = bool(answer.nonce) and _token(answer.nonce).decode() in values.values()
        facts = tuple(
            [(key, values[key]) for key in ("version", "sv_hostname", "mapname", "gamename") if key in values]
        )
        yield Match("quake3", CERTAIN if ours else LIKELY, "Quake III status", facts=facts)
