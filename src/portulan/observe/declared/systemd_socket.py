"""Where systemd listens for a service: units of sockets and their drop-in files (systemd.socket(5)).

`ListenStream=8080`, `127.0.0.1:8080`, `[::1]:8080`; paths, `@names` and `vsock:` are no ports. An empty assignment of
any kind takes all before it out of force. A specifier is no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.observe.activation import expand, parse_address
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.places import Found, observations
from portulan.observe.declared.unitfiles import has_section, parse_settings, unit_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.declared.unitfiles import Setting
    from portulan.observe.readers.source import Source

FORMAT = "systemd-socket"
SAYS = "units of systemd's sockets"

_LISTENS: dict[str, Transport] = {"ListenStream": "tcp", "ListenDatagram": "udp", "ListenSequentialPacket": "sctp"}
"""What of the internet's protocols a kind of socket is; sequential packets are only SCTP's."""
_NO_PORTS = frozenset({"ListenFIFO", "ListenSpecial", "ListenNetlink", "ListenMessageQueue", "ListenUSBFunction"})
_OTHER_PLACES = ("/", "@", "vsock:", "vsock-stream:", "vsock-dgram:", "vsock-seqpacket:")


def recognise(head: str, name: str) -> bool:
    """Tell a unit by its name and its section."""
    return unit_of(name, ".socket") is not None and has_section(head, "Socket")


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield where a unit listens."""
    unit = unit_of(source.name, ".socket")
    settings = [setting for setting in parse_settings(source.text(LARGEST_FILE)) if setting.section == "Socket"]
    last = {setting.key: setting.value for setting in settings}
    interface = expand(last.get("BindToDevice", ""), unit or "") or None
    protocol = last.get("SocketProtocol", "")
    found = _listens(_in_force(settings), protocol) if protocol != "udplite" else ()
    return observations(source, found, unit=unit, interface=interface)


def _in_force(settings: list[Setting]) -> list[Setting]:
    """Return the Listen... lines that no empty one comes after."""
    lines: list[Setting] = []
    for setting in settings:
        if setting.key in _LISTENS or setting.key in _NO_PORTS:
            if not setting.value:
                lines.clear()
            elif setting.key in _LISTENS:
                lines.append(setting)
    return lines


def _listens(lines: list[Setting], protocol: str) -> Iterator[Found | Bad]:
    for setting in lines:
        line, text = next((row for row in setting.rows if row[1]), (setting.line, ""))
        place = parse_address(text)
        if place is not None:
            address, port = place
            transport = "sctp" if protocol == "sctp" else _LISTENS[setting.key]
            yield Found(line, port, port, "published", transport, address)
        elif "%" not in text and not text.startswith(_OTHER_PLACES):
            yield Bad(line, f"{setting.key}= is no address: {text[:40]!r}")
