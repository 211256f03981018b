"""What this system does with numbers of its own accord: which it gives away, keeps, guards or excludes."""

from __future__ import annotations

import re
import sys

from portulan.model import PortRange, System
from portulan.observe.ephemeral import ephemeral_range
from portulan.observe.files import read

_SETTINGS = "/proc/sys/net/ipv4/"
_MOST = 1 << 20  # a bitmap of all numbers, printed one by one
_FIRST_UNPRIVILEGED = 1024
"""What Linux starts with (net/ipv4/af_inet.c: sysctl_ip_prot_sock)."""
_EXCLUDED = re.compile(r"^\s*(\d{1,5})\s+(\d{1,5})\s*\*?\s*$", re.MULTILINE)


def read_system() -> System:
    """Read the settings of this machine, or take what the system starts with where it does not show them."""
    ephemeral = PortRange(*ephemeral_range())
    if sys.platform == "win32":
        return System("windows", ephemeral, excluded=_excluded())
    if sys.platform != "linux":
        return System({"darwin": "macos"}.get(sys.platform, sys.platform), ephemeral)
    return System(
        "linux",
        ephemeral,
        reserved=parse_ranges(_read(_SETTINGS + "ip_local_reserved_ports")),
        unprivileged_from=_number(_read(_SETTINGS + "ip_unprivileged_port_start"), _FIRST_UNPRIVILEGED),
        confined=_read("/sys/fs/selinux/enforce") == "1",
    )


def parse_ranges(text: str) -> tuple[PortRange, ...]:
    """Return numbers as ip_local_reserved_ports writes them (kernel's ip-sysctl).

    >>> parse_ranges("8080,40000-40010")
    (PortRange(first=8080, last=8080), PortRange(first=40000, last=40010))
    """
    pairs = [part.partition("-") for part in text.split(",") if part]
    return tuple([PortRange(int(first), int(last or first)) for first, _, last in pairs])


def parse_excluded(text: str) -> tuple[PortRange, ...]:
    """Return the ranges that ``netsh interface ipv4 show excludedportrange protocol=tcp`` prints, in any language."""
    return tuple([PortRange(int(first), int(last)) for first, last in _EXCLUDED.findall(text)])


def _excluded() -> tuple[PortRange, ...]:
    import subprocess  # noqa: PLC0415  # of Windows alone

    command = [r"C:\Windows\System32\netsh.exe", "interface", "ipv4", "show", "excludedportrange", "protocol=tcp"]
    try:
        told = subprocess.run(command, capture_output=True, timeout=10, check=True)  # noqa: S603  # a fixed path
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_excluded(told.stdout.decode("ascii", "replace"))  # only its digits count


def _read(path: str) -> str:
    data = read(path, _MOST)
    return "" if data is None else data.decode("ascii", "replace").strip()


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdigit() else otherwise
