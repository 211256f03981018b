"""How to check a port by hand: commands that work on each system as it comes, for both directions."""

from __future__ import annotations

PROGRAM = "@{n='Program';e={(Get-Process -Id $_.OwningProcess).Path}}"

COMMANDS: tuple[tuple[str, str, str, str], ...] = (
    # (system, transport, what it shows, command)
    ("Linux", "tcp", "holds", "sudo ss -Hltnp 'sport = :{port}'"),
    ("Linux", "tcp", "dials", "sudo ss -Htnp 'dport = :{port}'"),
    ("Linux", "udp", "holds", "sudo ss -Hlunp 'sport = :{port}'"),
    ("Linux", "udp", "dials", "sudo ss -Hunp 'dport = :{port}'"),
    ("macOS", "tcp", "holds", "sudo lsof -nP -iTCP:{port} -sTCP:LISTEN"),
    ("macOS", "tcp", "dials", "sudo lsof -nP -iTCP:{port} -sTCP:ESTABLISHED"),
    ("macOS", "udp", "both", "sudo lsof -nP -iUDP:{port}"),
    (
        "Windows",
        "tcp",
        "holds",
        "Get-NetTCPConnection -State Listen -LocalPort {port} | Select-Object LocalAddress,OwningProcess," + PROGRAM,
    ),
    (
        "Windows",
        "tcp",
        "dials",
        "Get-NetTCPConnection -RemotePort {port} | Select-Object RemoteAddress,State,OwningProcess," + PROGRAM,
    ),
    (
        "Windows",
        "udp",
        "holds",
        "Get-NetUDPEndpoint -LocalPort {port} | Select-Object LocalAddress,OwningProcess," + PROGRAM,
    ),
)


def commands(port: int, transports: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Return (system, transport, what it shows, command) for a port."""
    return [
        (system, transport, shows, command.replace("{port}", str(port)))
        for system, transport, shows, command in COMMANDS
        if transport in transports
    ]
