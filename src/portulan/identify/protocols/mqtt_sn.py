"""MQTT-SN 1.2 (mqtt.org, sections 5.4.1, 5.4.2, 5.4.22 and 5.4.23): is there a gateway? By UDP, for sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

SEARCHGW, GWINFO, PINGREQ, PINGRESP = 1, 2, 0x16, 0x17
PING = Probe("mqtt-sn-ping", fixed(bytes([2, PINGREQ])), ("mqtt-sn",), "udp", (1884,), rank=95, in_tls=False)
PROBES = (
    Probe("mqtt-sn", fixed(bytes([3, SEARCHGW, 0])), ("mqtt-sn",), "udp", (1884, 10000), rank=68, in_tls=False),
    PING,
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mqtt-sn of GWINFO for our search, and of PINGRESP after it."""
    data = answer.data
    if answer.transport != "udp":
        return
    if answer.probe == "mqtt-sn" and data[:2] == bytes([len(data) & 0xFF, GWINFO]) and 3 <= len(data) <= 20:  # noqa: PLR2004  # a number, perhaps an address
        facts = (("gateway", str(data[2])),)
        yield Match("mqtt-sn", LIKELY, "MQTT-SN gateway", facts=facts, confirm=PING)
    elif answer.probe == PING.name and data == bytes([2, PINGRESP]):
        yield Match("mqtt-sn", CERTAIN, "MQTT-SN answer to a ping")
