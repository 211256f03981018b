"""Network devices and addresses of namespaces, by rtnetlink, and who they let reach a listener.

Layouts: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h; see rtnetlink(7). Integers are in the machine's order.

Who can reach a listener is read off its address and the devices, as if no packet filter were there. A loopback address
is for its own namespace. Any other is answered on whatever device a packet comes in by (Linux follows the weak end
system model of RFC 1122, section 3.3.4.2), so the device that leads furthest counts; a link-local address is its own
device's (RFC 3927, RFC 4291). A virtual cable leads to the other namespace it ends in, and as far as the bridge that
it is plugged into there; a bridge leads as far as what is plugged into it; all else that is up may lead outside.
"""

from __future__ import annotations

import _socket
from os import strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    import struct
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Reach
else:  # the C module itself, as in netlink
    try:
        import _struct as struct
    except ImportError:
        import struct

_NETLINK_ROUTE = 0
_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR = 16, 18, 20, 22
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST_DUMP = 0x301
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_INFO_KIND = 3, 5, 10, 18, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK: above are the flags "nested" and "network byte order"

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, device type, index, flags, change mask
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_INT = struct.Struct("=i")

_NOWHERE = frozenset({"dummy", "ifb", "nlmon", "vcan"})
"""Kinds of devices by which nothing comes in from elsewhere."""
_CABLES = frozenset({"netkit", "veth"})
"""Kinds of devices that are one end of a pair."""
_RANK = {"namespace": 0, "host": 1, "outside": 2}


class Link:
    """A network device: number, name, kind (None for hardware), whether it is up and whether it is the loopback.

    `master` is the number of the bridge that it is plugged into, `peer` that of the other end of a cable, 0 for none;
    `reach` is who can send to its namespace through it, final once `join` has seen all namespaces.
    """

    __slots__ = ("index", "is_loopback", "is_up", "kind", "master", "name", "peer", "reach")

    def __init__(  # noqa: PLR0917  # as they come from the kernel
        self, index: int, name: str, kind: str | None, flags: int, master: int = 0, peer: int = 0
    ) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.is_up = bool(flags & _IFF_UP)
        self.is_loopback = bool(flags & _IFF_LOOPBACK)
        self.master = master
        self.peer = peer
        leads_nowhere = self.is_loopback or not self.is_up or kind in _NOWHERE or kind == "bridge"
        self.reach: Reach = "namespace" if leads_nowhere else "outside"


class Devices:
    """The devices of one namespace: their names, the addresses they have, and who can reach a listener on them."""

    __slots__ = ("_by_index", "_reaches", "addresses")

    def __init__(self, links: Iterable[Link], addresses: Iterable[tuple[int, bytes]] = ()) -> None:
        self._by_index = {link.index: link for link in links}
        self.addresses: dict[bytes, int] = {address: index for index, address in addresses}
        self._reaches: dict[tuple[bytes, int], Reach] = {}  # a machine has few addresses and many listeners

    @property
    def links(self) -> list[Link]:
        """The devices."""
        return [*self._by_index.values()]

    def name(self, index: int) -> str | None:
        """Return what a device is called."""
        link = self._by_index.get(index)
        return None if link is None else link.name

    def reach(self, address: bytes, index: int) -> Reach:
        """Return who can reach a listener on a packed address, bound to a device if that is not 0."""
        reach = self._reaches.get((address, index))
        if reach is None:
            if is_link_local(address):
                index = index or self.addresses.get(address, 0)
            link = self._by_index.get(index)
            widest = widest_of([found.reach for found in self._by_index.values()])
            reach = "namespace" if is_loopback(address) else widest if link is None else link.reach
            self._reaches[address, index] = reach
        return reach


def join(namespaces: Sequence[Devices]) -> None:
    """Find out how far cables and bridges lead, from all the namespaces that could be looked into.

    The kernel tells of a cable's other end its number and not its namespace, so an end counts as the other one where
    both have each other's number. A cable whose other end is nowhere to be seen may lead anywhere.
    """
    links = [(devices, link) for devices in namespaces for link in devices.links if link.is_up]
    ends: dict[tuple[int, int], list[tuple[Devices, Link]]] = {}
    for devices, link in links:
        if link.kind in _CABLES:
            ends.setdefault((link.index, link.peer), []).append((devices, link))
    cables = [
        (link, [other for other in ends.get((link.peer, link.index), ()) if other[1] is not link])
        for found in ends.values()
        for _devices, link in found
    ]
    for link, others in cables:
        link.reach = "host" if others else "outside"
    for _round in range(2):  # from a bridge through a cable to a bridge in another namespace
        for devices, link in links:
            if link.kind == "bridge":
                link.reach = widest_of([port.reach for port in devices.links if port.master == link.index])
        for link, others in cables:
            plugged = [
                bridge.reach for devices, end in others for bridge in devices.links if bridge.index == end.master
            ]
            link.reach = widest_of([link.reach, *plugged])


def widest_of(reaches: Iterable[Reach]) -> Reach:
    """Return the furthest of some reaches."""
    return max(reaches, key=_RANK.__getitem__, default="namespace")


def is_loopback(address: bytes) -> bool:
    """Tell whether a packed address is a loopback address (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3)."""
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"  # noqa: PLR2004  # IPv4: 127/8


def is_link_local(address: bytes) -> bool:
    """Tell whether a packed address is a link-local address (RFC 3927, section 2.1; RFC 4291, section 2.5.6)."""
    if len(address) == 4:  # noqa: PLR2004  # IPv4: 169.254/16
        return address.startswith(b"\xa9\xfe")
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80  # noqa: PLR2004  # fe80::/10


def read_devices() -> Devices:
    """Ask for the devices of the namespace that this thread is in. Raises OSError where rtnetlink is refused."""
    route = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    try:
        route.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, struct.pack("@ll", 10, 0))
        links = [parse_link(body) for body in _dump(route, _RTM_GETLINK, _LINK.size, _RTM_NEWLINK)]
        addresses = [parse_address(body) for body in _dump(route, _RTM_GETADDR, _ADDRESS.size, _RTM_NEWADDR)]
    finally:
        route.close()
    return Devices(links, [found for found in addresses if found is not None])


def _dump(route: _socket.socket, kind: int, size: int, wanted: int) -> Iterator[bytes]:
    """Ask for all of a kind; yield the body of each answer."""
    route.send(_HEADER.pack(_HEADER.size + size, kind, _NLM_F_REQUEST_DUMP, kind, 0) + bytes(size))
    while True:
        data = route.recv(65_536)
        for answer, body in messages(data):
            if answer == _NLMSG_DONE:
                return
            if answer == _NLMSG_ERROR:
                number = -_INT.unpack_from(body)[0]
                raise OSError(number, strerror(number))
            if answer == wanted:
                yield body


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each message in a datagram."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield kind, data[offset + _HEADER.size : offset + length]
        offset += length + 3 & ~3


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each attribute."""
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            return
        yield kind & _TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += length + 3 & ~3


def parse_link(body: bytes) -> Link:
    """Parse one device."""
    _family, _type, index, flags, _change = _LINK.unpack_from(body)
    found = dict(attributes(body[_LINK.size :]))
    name = _text(found[_IFLA_IFNAME]) if _IFLA_IFNAME in found else str(index)
    kind = dict(attributes(found.get(_IFLA_LINKINFO, b""))).get(_IFLA_INFO_KIND)
    master, peer = (_number(found.get(attribute)) for attribute in (_IFLA_MASTER, _IFLA_LINK))
    return Link(index, name, None if kind is None else _text(kind), flags, master, peer)


def parse_address(body: bytes) -> tuple[int, bytes] | None:
    """Parse one address: the device's number and the packed address, the own end where the two differ."""
    *_rest, index = _ADDRESS.unpack_from(body)
    found = dict(attributes(body[_ADDRESS.size :]))
    address = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    return None if address is None or len(address) not in {4, 16} else (index, address)


def _number(value: bytes | None) -> int:
    number: int = _INT.unpack(value)[0] if value is not None and len(value) == _INT.size else 0
    return number


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
