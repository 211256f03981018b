"""Who used a port, when and how often, as text."""

from __future__ import annotations

from portulan.cli.sockets import local_time, quoted
from portulan.cli.terminal import clean, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.cli.terminal import Style
    from portulan.model import Episode

VERBS = {"listen": "held", "connect": "dialled", "accept": "served"}


def render_history(episodes: tuple[Episode, ...], recorded: int, style: Style) -> str:
    """Render what a recording knows of a port, the most recent of so many episodes first."""
    lines = [style.paint("History", "heading")]
    if not episodes:
        lines.append("  nothing was recorded")
    for episode in episodes:
        lines.append(wrap(clean(_say_use(episode)), style.width, "  ", "    "))
        lines.append(wrap(clean(_say_when(episode)), style.width, "      ", "  "))
    if recorded > len(episodes):
        lines.append(f"  and {recorded - len(episodes)} more, all with --json")
    return "\n".join(lines)


def _say_use(episode: Episode) -> str:
    """Say who did what, where."""
    if episode.executable:
        who = quoted(episode.executable)
    else:
        who = episode.process_name or f"somebody ({episode.processes_missing or 'owner unknown'})"
    place = _place(episode.local_address, episode.local_port)
    if episode.direction == "connect":
        place = f"{_place(episode.peer_address or '', episode.peer_port)} from {episode.local_address}"
    elif episode.direction == "accept":
        place += f" to {episode.peer_address}"
    facts = [
        f"user {episode.user}" if episode.user else "",
        f"unit {episode.unit}" if episode.unit else "",
        f"container {episode.container[:12]}" if episode.container else "",
        episode.attention or "",
    ]
    return ", ".join([f"{who} {VERBS[episode.direction]} {episode.transport} {place}", *filter(None, facts)])


def _say_when(episode: Episode) -> str:
    first, last = local_time(episode.first_seen_at), local_time(episode.last_seen_at)
    when = f"at {first}" if first == last else f"from {first} to {last}"
    return f"{'once' if episode.count == 1 else f'{episode.count} times'}, {when}"


def _place(address: str, port: int | None) -> str:
    host = f"[{address}]" if ":" in address else address
    return host if port is None else f"{host}:{port}"
