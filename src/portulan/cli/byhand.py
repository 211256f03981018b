"""How to check a port by hand: commands that work on each system as it comes, for both directions."""

from __future__ import annotations

QUIETLY = " -ErrorAction SilentlyContinue | Select-Object "
PROGRAM = "OwningProcess,@{n='Program';e={(Get-Process -Id $_.OwningProcess).Path}}"

COMMANDS: tuple[tuple[str, str, str, str], ...] = (
    # (system, transport, what it shows, command)
    ("Linux", "tcp", "holds", "sudo ss -Hltnp 'sport = :{port}'"),
    ("Linux", "tcp", "dials", "sudo ss -Htnp 'dport = :{port}'"),
    ("Linux", "udp", "holds", "sudo ss -Hlunp 'sport = :{port}'"),
    ("Linux", "udp", "dials", "sudo ss -Hunp 'dport = :{port}'"),
    ("macOS", "tcp", "holds", "sudo lsof -nP -iTCP:{port} -sTCP:LISTEN"),
    # lsof does not tell the two ends of a connection apart, nor a UDP socket that waits from one that dials.
    ("macOS", "tcp", "dials or serves", "sudo lsof -nP -iTCP:{port} -sTCP:^LISTEN"),
    ("macOS", "udp", "holds or dials", "sudo lsof -nP -iUDP:{port}"),
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
    # Windows keeps no peer of a UDP socket: who dials cannot be seen there.
)


def commands(port: int, transports: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Return (system, transport, what it shows, command) for a port."""
    return [
        (system, transport, shows, command.replace("{port}", str(port)))
        for system, transport, shows, command in COMMANDS
        if transport in transports
    ]
