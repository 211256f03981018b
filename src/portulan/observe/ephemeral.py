"""The numbers that the system gives to those who dial."""

from __future__ import annotations

import sys

LINUX = (32_768, 60_999)
"""What Linux starts with (net/ipv4/af_inet.c: ip_local_ports.range)."""
OTHERS = (49_152, 65_535)
"""What macOS and Windows start with: the dynamic ports (RFC 6335, section 6)."""


def ephemeral_range() -> tuple[int, int]:
    """Return the first and the last (ip(7), ip_local_port_range), or what the system starts with if it hides that."""
    if sys.platform != "linux":
        return OTHERS
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", "rb", buffering=0) as limits:  # noqa: PTH123  # start-up
            first, last = limits.read(64).split()
        return int(first), int(last)
    except (OSError, ValueError):
        return LINUX
