"""What a firewall of this machine lets in and out, from the files that it loads: firewalld and ufw.

No program is run, and nothing is asked of the kernel: it is what holds after the next start. Of firewalld
(firewalld.zones(5), firewalld.policies(5)) that are the default zone, the zones that interfaces or sources are assigned
to in their files, the policies between these and this machine, and direct rules; services have their numbers, and what
lies in /etc goes before what lies in /usr/lib. Which zone NetworkManager gives to a connection is not in these files.
Of ufw (ufw-framework(8)) that are the rules of its user and those before and after them.

What one rule lets in and another takes back is let in here: a policy made of it allows, and demands nothing.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.errors import NotFound, ReadError, UsageError
from portulan.model import Value
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared import ufw as ufw_reader
from portulan.observe.declared.firewalld import Document, find_ports, is_host
from portulan.observe.declared.places import observations
from portulan.observe.readers import Origin, unreadable
from portulan.observe.readers.source import Bad, Source, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.observe.declared.firewalld import Element

ROOT = Path("/")
ABOUT = "rules that name ports"
_EVERYTHING = "it lets in every port, and names none"
_SETTING = re.compile(r"\s*(?P<name>\w+)\s*=\s*[\"']?(?P<value>[^\"'\s#]*)")
_LETS_IN = frozenset({"ACCEPT", "accept"})


def in_force(firewall: str, root: Path = ROOT) -> Iterator[Origin]:
    """Yield the files that a firewall has in force, below the root of a machine.

    Raises UsageError for a firewall that is not known, NotFound where it is not installed, or does not start.
    """
    if firewall not in FIREWALLS:
        message = f"no firewall {firewall[:40]!r} is known"
        raise UsageError(message, hint=f"one of {', '.join(FIREWALLS)}")
    return FIREWALLS[firewall](root)


class _Read(Value):
    """A file that was read, with its settings, each with its line."""

    source: Source
    settings: dict[str, tuple[str, int]]

    def value(self, name: str, default: str = "") -> str:
        """Return a setting, in lower case."""
        return self.settings.get(name, (default, 0))[0].lower()


def _read_settings(path: Path) -> _Read:
    """Read assignments as a shell does that has no variables in them; the last of a name counts."""
    with open_source(str(path)) as source:
        rows = enumerate(source.text(LARGEST_FILE).split("\n"), 1)
        found = [(match, line) for line, row in rows if (match := _SETTING.match(row))]
    return _Read(source, {match["name"]: (match["value"], line) for match, line in found})


# ----------------------------------------------------------------------------------------------------------- firewalld


def firewalld(root: Path = ROOT) -> Iterator[Origin]:
    """Yield the zones, policies and direct rules that firewalld loads. Raises NotFound where it is not installed."""
    own, shipped = root / "etc/firewalld", root / "usr/lib/firewalld"
    if not (own.is_dir() or shipped.is_dir()):
        message = "firewalld is not installed"
        raise NotFound(message, hint=f"there is no {own}")
    return _firewalld(own, shipped)


def _firewalld(own: Path, shipped: Path) -> Iterator[Origin]:
    conf = own / "firewalld.conf"
    try:
        settings = _read_settings(conf).settings
    except FileNotFoundError:
        settings = {}
    except (OSError, ReadError) as error:
        yield unreadable(str(conf), error)
        return
    default = settings.get("DefaultZone", ("public", 0))[0]
    services = _Services(_files("services", own, shipped))
    active: set[str] = set()
    for name, path in _files("zones", own, shipped).items():
        try:
            source, document = _read_document(path)
        except (OSError, ReadError) as error:
            yield unreadable(str(path), error)
            continue
        if name == default or any(child.name in {"interface", "source"} for child in document.root.children):
            active.add(name)
            yield _origin(source, document, services)
    if default not in active:
        yield Origin(str(conf), ABOUT, iter([Bad(0, f"its default zone, {default[:40]!r}, has no file")]))
    direct = [own / "direct.xml"] if (own / "direct.xml").is_file() else []
    for path in (*_files("policies", own, shipped).values(), *direct):
        try:
            source, document = _read_document(path)
        except (OSError, ReadError) as error:
            yield unreadable(str(path), error)
            continue
        if document.root.name == "direct" or _is_of_this_machine(document.root, active):
            yield _origin(source, document, services)
    # What is yielded above has been read by now, with the services that it names.
    yield from services.refused


def _files(kind: str, own: Path, shipped: Path) -> dict[str, Path]:
    """Return the files of a kind by the names of what they describe."""
    paths = chain(sorted((shipped / kind).glob("*.xml")), sorted((own / kind).glob("*.xml")))
    return dict(sorted({path.stem: path for path in paths}.items()))


def _read_document(path: Path) -> tuple[Source, Document]:
    with open_source(str(path)) as source:
        return source, Document(source.text(LARGEST_FILE))


def _origin(source: Source, document: Document, services: _Services) -> Origin:
    target, line = document.root.attributes.get("target", ("", 0))
    outgoing = any(map(is_host, document.root.children_of("ingress-zone")))
    everything = [Bad(line, _EVERYTHING)] if target in _LETS_IN and not outgoing else []
    found = chain(find_ports(document.root, services), everything, document.bad)
    return Origin(source.name, ABOUT, observations(source, found), source)


def _is_of_this_machine(policy: Element, active: set[str]) -> bool:
    """Tell whether a policy is for what comes to or from this machine, and a zone at its other side is active."""
    comes = {child.value("name") for child in policy.children_of("ingress-zone")}
    goes = {child.value("name") for child in policy.children_of("egress-zone")}
    zones = active | {"ANY"}
    return ("HOST" in goes and bool(comes & zones)) or ("HOST" in comes and bool(goes & zones))


class _Services:
    """The ports of services by their names, with those that they include (firewalld.service(5))."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files
        self._known: dict[str, list[Element]] = {}
        self.refused: list[Origin] = []

    def __call__(self, name: str) -> Iterable[Element]:
        """Return the elements that have ports; none where there is no file, or it cannot be read."""
        if name not in self._known:
            self._known[name] = []  # for one that includes itself
            self._known[name] = list(self._ports(name))
        return self._known[name]

    def _ports(self, name: str) -> Iterator[Element]:
        if name not in self._files:
            return
        try:
            _, document = _read_document(self._files[name])
        except (OSError, ReadError) as error:
            self.refused.append(unreadable(str(self._files[name]), error))
            return
        yield from document.root.children_of("port")
        for included in document.root.children_of("include"):
            yield from self(included.value("service"))


# ----------------------------------------------------------------------------------------------------------------- ufw


def ufw(root: Path = ROOT) -> Iterator[Origin]:
    """Yield the rules that ufw loads. Raises NotFound where it is not installed, or not enabled."""
    conf = root / "etc/ufw/ufw.conf"
    try:
        enabled = _read_settings(conf).value("ENABLED")
    except FileNotFoundError:
        message = "ufw is not installed"
        raise NotFound(message, hint=f"there is no {conf}") from None
    except (OSError, ReadError) as error:
        return iter([unreadable(str(conf), error)])
    if enabled != "yes":
        message = "ufw is not enabled"
        raise NotFound(message, hint=f"{conf} says so; a file of its rules can be named instead")
    return _ufw(root)


def _ufw(root: Path) -> Iterator[Origin]:
    families: tuple[str, ...] = ("", "6")
    path = root / "etc/default/ufw"
    try:
        defaults = _read_settings(path)
    except FileNotFoundError:
        pass
    except (OSError, ReadError) as error:
        yield unreadable(str(path), error)
    else:
        if defaults.value("IPV6", "yes") != "yes":
            families = ("",)
        if defaults.value("DEFAULT_INPUT_POLICY") == "accept":
            bad = Bad(defaults.settings["DEFAULT_INPUT_POLICY"][1], _EVERYTHING)
            yield Origin(str(path), ABOUT, iter([bad]), defaults.source)
    for kind in ("before", "user", "after"):
        for family in families:
            yield from _rules(root, f"{kind}{family}.rules")


def _rules(root: Path, name: str) -> Iterator[Origin]:
    """Yield one of ufw's files of rules; older versions keep the user's among the files of the program."""
    for folder in ("etc/ufw", "lib/ufw"):
        path = root / folder / name
        try:
            yield Origin.of(open_source(str(path)), ufw_reader)
        except FileNotFoundError:
            continue
        except (OSError, ReadError) as error:
            yield unreadable(str(path), error)
        return


FIREWALLS = {"firewalld": firewalld, "ufw": ufw}
"""The firewalls whose files are known."""
