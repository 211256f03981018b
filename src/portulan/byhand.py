"""How to check a port by hand: commands that work on each system as it comes, for both directions."""

from __future__ import annotations

import sys

QUIETLY = " -ErrorAction SilentlyContinue | Select-Object "
PROGRAM = "OwningProcess,@{n='Program';e={(Get-Process -Id $_.OwningProcess).Path}}"

COMMANDS: tuple[tuple[str, str, str, str], ...] = (
    # (system, transport, what it shows, command or in parentheses why there is none)
    ("Linux", "tcp", "holds", "sudo ss -Hltnp 'sport = :{port}'"),
    ("Linux", "tcp", "dials", "sudo ss -Htnp 'dport = :{port}'"),
    ("Linux", "udp", "holds", "sudo ss -Hlunp 'sport = :{port}'"),
    ("Linux", "udp", "dials", "sudo ss -Hunp 'dport = :{port}'"),
    ("Linux", "sctp", "holds", "sudo ss -HlSnp 'sport = :{port}'"),
    ("Linux", "sctp", "dials", "sudo ss -HSnp 'dport = :{port}'"),
    ("Linux", "dccp", "holds", "sudo ss -Hldnp 'sport = :{port}'"),
    ("Linux", "dccp", "dials", "sudo ss -Hdnp 'dport = :{port}'"),
    ("macOS", "tcp", "holds", "sudo lsof -nP -iTCP:{port} -sTCP:LISTEN"),
    # lsof does not tell the two ends of a connection apart, nor a UDP socket that waits from one that dials.
    ("macOS", "tcp", "dials or serves", "sudo lsof -nP -iTCP:{port} -sTCP:^LISTEN"),
    ("macOS", "udp", "holds or dials", "sudo lsof -nP -iUDP:{port}"),
    # netstat shows the process ids of all users to any, and no programs; it writes a port behind a dot.
    ("macOS", "tcp", "without sudo", "netstat -anv -p tcp | grep '[.]{port} '"),
    ("macOS", "udp", "without sudo", "netstat -anv -p udp | grep '[.]{port} '"),
    ("macOS", "sctp", "holds or dials", "(no command: macOS itself has no SCTP)"),
    ("macOS", "dccp", "holds or dials", "(no command: macOS has no DCCP)"),
    (
        "Windows",
        "tcp",
        "holds",
        "Get-NetTCPConnection -State Listen -LocalPort {port}" + QUIETLY + "LocalAddress," + PROGRAM,
    ),
    (
        "Windows",
        "tcp",
        "dials",
        "Get-NetTCPConnection -RemotePort {port}" + QUIETLY + "RemoteAddress,State," + PROGRAM,
    ),
    (
        "Windows",
        "udp",
        "holds",
        "Get-NetUDPEndpoint -LocalPort {port}" + QUIETLY + "LocalAddress," + PROGRAM,
    ),
    ("Windows", "udp", "dials", "(no command: Windows keeps no peer of a UDP socket, who dials cannot be seen)"),
    ("Windows", "sctp", "holds or dials", "(no command: Windows itself has no SCTP)"),
    ("Windows", "dccp", "holds or dials", "(no command: Windows has no DCCP)"),
)


HERE = {"darwin": "macOS", "win32": "Windows"}
"""What a system is called here, by what Python calls it."""


def commands(port: int, transports: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Return (system, transport, what it shows, command or in parentheses why there is none) for a port.

    The commands of the system that this runs on come first.
    """
    rows = [
        (system, transport, shows, command.replace("{port}", str(port)))
        for system, transport, shows, command in COMMANDS
        if transport in transports
    ]
    here = HERE.get(sys.platform, "Linux")
    return sorted(rows, key=lambda row: row[0] != here)
