"""Whose connection a request comes over, as the system has it: a browser can be misled, the kernel cannot.

A connection on loopback has two sockets, and the kernel keeps for each which user made it (sock_diag(7), `idiag_uid`).
"""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

from portulan.observe.netlink import CONNECTED, LOCAL, LOCAL_PORT, PEER, PEER_PORT, UID, SockDiag

if TYPE_CHECKING:
    from starlette.types import Scope


def user_of(scope: Scope) -> int | None:
    """Return the user at the other end of a request's connection; None where the system does not tell."""
    client, server = scope.get("client"), scope.get("server")
    if not sys.platform.startswith("linux") or client is None or server is None:
        return None
    try:
        far, near = (ip_address(host).packed for host, _ in (client, server))
        diag = SockDiag()
    except (OSError, ValueError):
        return None
    try:
        found = diag.read("tcp", CONNECTED, local_port=client[1], peer_port=server[1])
    except OSError:
        return None
    finally:
        diag.close()
    wanted = client[1], far, server[1], near
    users = [row[UID] for row in found if (row[LOCAL_PORT], row[LOCAL], row[PEER_PORT], row[PEER]) == wanted]
    return users[0] if len(users) == 1 else None
