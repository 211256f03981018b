"""Network devices and addresses of a namespace, by rtnetlink, and who they let reach a listener.

Layouts: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h; see rtnetlink(7). Integers are in the machine's order.

Who can reach a listener is read off its address and the devices, as if no packet filter were there: a loopback address
is for its own namespace; a virtual cable (veth) that ends in another namespace of this machine, or a device that never
leaves it, is for the machine; every other device that is up may lead outside.
"""

from __future__ import annotations

import _socket
from os import strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    import struct
    from collections.abc import Iterable, Iterator

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
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_LINK_NETNSID, _IFLA_INFO_KIND = 3, 18, 37, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK: above are the flags "nested" and "network byte order"

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, device type, index, flags, change mask
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_INT = struct.Struct("=i")

_LOCAL_KINDS = frozenset({"veth", "dummy", "bridge", "ifb", "netkit", "nlmon", "tun", "vcan"})
"""Kinds of devices that end in this machine: at a namespace, at a program, or nowhere. A bridge is as far-reaching as
the devices in it, and those are in the list as well."""


class Link:
    """A network device: number, name, kind (None for hardware), whether it is up and whether it is the loopback."""

    __slots__ = ("index", "is_loopback", "is_up", "kind", "name")

    def __init__(self, index: int, name: str, kind: str | None, flags: int) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.is_up = bool(flags & _IFF_UP)
        self.is_loopback = bool(flags & _IFF_LOOPBACK)

    @property
    def reach(self) -> Reach:
        """Who can send to this namespace through the device."""
        if self.is_loopback or not self.is_up:
            return "namespace"
        return "host" if self.kind in _LOCAL_KINDS else "outside"


class Devices:
    """The devices of one namespace: their names, the addresses they have, and who can reach a listener on them."""

    __slots__ = ("_by_index", "_reach", "_reaches", "addresses")

    def __init__(self, links: Iterable[Link], addresses: Iterable[tuple[int, bytes]] = ()) -> None:
        self._by_index = {link.index: link for link in links}
        self.addresses: dict[bytes, int] = {address: index for index, address in addresses}
        self._reach = _widest([link.reach for link in self._by_index.values()])
        self._reaches: dict[tuple[bytes, int], Reach] = {}  # a machine has few addresses and many listeners

    def name(self, index: int) -> str | None:
        """Return what a device is called."""
        link = self._by_index.get(index)
        return None if link is None else link.name

    def reach(self, address: bytes, index: int) -> Reach:
        """Return who can reach a listener on a packed address, bound to a device if that is not 0."""
        reach = self._reaches.get((address, index))
        if reach is None:
            link = self._by_index.get(index or self.addresses.get(address, 0))
            reach = "namespace" if is_loopback(address) else self._reach if link is None else link.reach
            self._reaches[address, index] = reach
        return reach


def _widest(reaches: Iterable[Reach]) -> Reach:
    found = set(reaches)
    return "outside" if "outside" in found else "host" if "host" in found else "namespace"


def is_loopback(address: bytes) -> bool:
    """Tell whether a packed address is a loopback address (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3)."""
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"  # noqa: PLR2004  # IPv4: 127/8


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
    name, kind = str(index), None
    for attribute, value in attributes(body[_LINK.size :]):
        if attribute == _IFLA_IFNAME:
            name = _text(value)
        elif attribute == _IFLA_LINKINFO:
            kind = next((_text(text) for what, text in attributes(value) if what == _IFLA_INFO_KIND), None)
    return Link(index, name, kind, flags)


def parse_address(body: bytes) -> tuple[int, bytes] | None:
    """Parse one address: the device's number and the packed address, the own end where the two differ."""
    *_rest, index = _ADDRESS.unpack_from(body)
    found = dict(attributes(body[_ADDRESS.size :]))
    address = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    return None if address is None or len(address) not in {4, 16} else (index, address)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
