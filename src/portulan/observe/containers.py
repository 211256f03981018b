"""Containers: from an id to runtime, name and image, by the files that the runtimes themselves keep.

No daemon is asked and no socket opened. What is read, with the source of each layout:

- Docker (moby daemon/container): DATA-ROOT/containers/ID/config.v2.json, DATA-ROOT from /etc/docker/daemon.json;
- Podman and CRI-O (containers/storage): DRIVER-containers/containers.json and ID/userdata/config.json, below
  /var/lib/containers/storage, /run/containers/storage and, rootless, the same in the user's home;
- containerd: /run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID/config.json, an OCI runtime specification with
  the annotations of its CRI plug-in or of nerdctl;
- systemd-nspawn: /run/systemd/machines/NAME; LXC: the id is the name.

These files may be written by whoever runs a rootless container: they have a name to show and prove nothing. Some also
hold the environment that a container is started with; it is not kept.
"""

from __future__ import annotations

import json

from portulan.model import Incomplete, Value
from portulan.observe import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Found = tuple[str | None, str | None]  # name, image

_MOST_OF_ONE = 1 << 20  # bytes; the file of one container has some kilobytes
_MOST_OF_ALL = 4 << 20  # bytes; containers.json has about 700 for each container
_MOST_PARTS = 400_000  # commas and opening brackets: what a document costs in memory depends on them
_LONGEST = 512  # characters; an image's name with its digest has some 150
_MOST_NAMESPACES = 64
_DRIVERS = ("overlay", "vfs", "btrfs", "zfs")
_PREFIXES = {
    "docker": "docker",
    "libpod": "podman",
    "libpod_parent": "podman",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "lxc": "lxc",
}
_ID_LENGTH = 64


class Container(Value):
    """What is known of a container."""

    runtime: str | None
    name: str | None
    image: str | None


class Containers:
    """Some containers, described by their ids; each is looked up once."""

    __slots__ = ("_docker", "_found", "_home_of", "_incomplete", "_root")

    def __init__(
        self, incomplete: list[Incomplete], *, root: str = "/", home_of: Callable[[int], str | None] = files.home_of
    ) -> None:
        """Look below `root`; that names were refused is appended to `incomplete`, once."""
        self._root = root
        self._home_of = home_of
        self._incomplete: list[Incomplete] | None = incomplete
        self._found: dict[str, Container] = {}
        self._docker: str | None = None

    def describe(self, container: str, cgroup: str | None) -> Container:
        """Return what is known of the container with an id, which a path of control groups named."""
        found = self._found.get(container)
        if found is None:
            found = self._found[container] = self._describe(container, cgroup or "")
        return found

    def _describe(self, container: str, path: str) -> Container:
        runtime = runtime_of(path, container)
        if runtime == "lxc":
            return Container(runtime, container, None)
        if runtime == "systemd-nspawn":
            return self._machine(container)
        if len(container) != _ID_LENGTH or not container.isalnum():  # it becomes part of a path
            return Container(runtime, None, None)
        refused = False
        for known, read in self._sources(files.user_of_slice(path)):
            if runtime in {None, known}:
                try:
                    found = read(container)
                except PermissionError:
                    refused = True
                    continue
                if found is not None:
                    return Container(runtime or known, *found)
        if refused and self._incomplete is not None:
            hint = "run as root, or as the user who runs the container"
            self._incomplete.append(Incomplete("names of containers", "not permitted", hint))
            self._incomplete = None
        return Container(runtime, None, None)

    def _sources(self, uid: int | None) -> Iterator[tuple[str, Callable[[str], Found | None]]]:
        """Yield what may know a container: the runtime and how to ask its files."""
        storages = ["/var/lib/containers/storage", "/run/containers/storage"]
        home = None if uid is None else self._home_of(uid)
        if home is not None:
            storages = [f"{home}/.local/share/containers/storage", f"/run/user/{uid}/containers", *storages]
            yield "docker", lambda container: self._of_docker(f"{home}/.local/share/docker", container)
        yield "docker", lambda container: self._of_docker(self._docker_root(), container)
        yield "containerd", self._of_containerd
        yield "cri-o", lambda container: self._of_bundle(storages, container)
        yield "podman", lambda container: self._of_storage(storages, container)

    def _read(self, path: str, most: int = _MOST_OF_ONE) -> bytes | None:
        return files.read(files.join(self._root, path), most)

    def _docker_root(self) -> str:
        """Return where Docker keeps its data."""
        if self._docker is None:
            try:
                content = self._read("/etc/docker/daemon.json")
            except PermissionError:
                content = None
            self._docker = parse_daemon(content or b"") or "/var/lib/docker"
        return self._docker

    def _of_docker(self, data_root: str, container: str) -> Found | None:
        content = self._read(f"{data_root}/containers/{container}/config.v2.json")
        return None if content is None else parse_docker(content)

    def _of_containerd(self, container: str) -> Found | None:
        for state in ("/run/containerd", "/run/k3s/containerd"):
            tasks = f"{state}/io.containerd.runtime.v2.task"
            try:
                namespaces = files.names(files.join(self._root, tasks), _MOST_NAMESPACES)
            except PermissionError:  # one may enter what one may not list
                namespaces = ["k8s.io", "default"]
            for namespace in namespaces:
                content = self._read(f"{tasks}/{namespace}/{container}/config.json")
                found = None if content is None else parse_bundle(content)
                if found is not None:
                    return found
        return None

    def _of_bundle(self, storages: list[str], container: str) -> Found | None:
        for storage in storages:
            for driver in _DRIVERS:
                content = self._read(f"{storage}/{driver}-containers/{container}/userdata/config.json")
                found = None if content is None else parse_bundle(content)
                if found is not None:
                    return found
        return None

    def _of_storage(self, storages: list[str], container: str) -> Found | None:
        for storage in storages:
            for driver in _DRIVERS:
                content = self._read(f"{storage}/{driver}-containers/containers.json", _MOST_OF_ALL)
                found = None if content is None else parse_storage(content, container)
                if found is not None:
                    return found
        return None

    def _machine(self, container: str) -> Container:
        """Describe a container that systemd-machined registered: nspawn's, or somebody else's."""
        name = unescape(container)
        if not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
            return Container("systemd-nspawn", None, None)  # it would become part of a path
        try:
            content = self._read(f"/run/systemd/machines/{name}")
        except PermissionError:
            content = None
        service = parse_machine(content or b"")
        return Container("systemd-nspawn" if service in {None, "systemd-nspawn"} else None, name, None)


def runtime_of(path: str, container: str) -> str | None:
    """Return the runtime that a path of control groups tells by the habits of its names.

    >>> runtime_of("/system.slice/docker-1f.scope", "1f")
    'docker'
    """
    names = path.split("/")
    for place in range(len(names) - 1, 0, -1):
        name, parent = names[place], names[place - 1]
        bare = name.removesuffix(".scope")
        if bare == f"machine-{container}" or name == f"systemd-nspawn@{container}.service":
            return "systemd-nspawn"
        if bare in {container, f"lxc.payload.{container}"}:
            before = "lxc" if parent in {"lxc", "lxc.payload"} or bare != container else parent
            return _PREFIXES.get(before)
        if bare.endswith((f"-{container}", f":{container}")):
            before = bare[: -len(container) - 1].rpartition(":")[2]
            return _PREFIXES.get(before)
    return None


# ------------------------------------------------------------------------------------------------------------ parsing


def parse_daemon(content: bytes) -> str | None:
    """Return the data root that Docker's daemon.json sets."""
    root = _text(_get(_load(content), "data-root"))
    return root if root and root.startswith("/") else None


def parse_docker(content: bytes) -> Found | None:
    """Return name and image from Docker's config.v2.json."""
    document = _load(content)
    name, image = _text(_get(document, "Name")), _text(_get(_get(document, "Config"), "Image"))
    name = name.removeprefix("/") if name else None
    return (name or None, image) if name or image else None


def parse_storage(content: bytes, container: str) -> Found | None:
    """Return name and image of one container from the containers.json of containers/storage.

    `metadata` is a text with JSON in it, whose form belongs to Podman or CRI-O.
    """
    rows = _load(content)
    for row in rows if isinstance(rows, list) else ():
        if _get(row, "id") == container:
            names = _get(row, "names")
            metadata = _get(row, "metadata")
            more = _load(metadata.encode("utf-8", "replace")) if isinstance(metadata, str) else None
            name = _text(_get(more, "name")) or _text(names[0] if isinstance(names, list) and names else None)
            image = _text(_get(more, "image-name"))
            return (name, image) if name or image else None
    return None


def parse_bundle(content: bytes) -> Found | None:
    """Return name and image from the annotations of an OCI runtime's config.json: CRI-O's, containerd's, nerdctl's."""
    annotations = _get(_load(content), "annotations")

    def annotation(*names: str) -> str | None:
        return next((found for found in (_text(_get(annotations, name)) for name in names) if found), None)

    parts = (
        annotation("io.kubernetes.pod.namespace", "io.kubernetes.cri.sandbox-namespace"),
        annotation("io.kubernetes.pod.name", "io.kubernetes.cri.sandbox-name"),
        annotation("io.kubernetes.container.name", "io.kubernetes.cri.container-name", "nerdctl/name"),
    )
    name = "/".join([part for part in parts if part])
    image = annotation(
        "io.kubernetes.cri-o.ImageName", "io.kubernetes.cri-o.Image", "io.kubernetes.cri.image-name", "nerdctl/image"
    )
    return (name or None, image) if name or image else None


def parse_machine(content: bytes) -> str | None:
    """Return the service that registered a machine, from its file below /run/systemd/machines."""
    for line in content.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        if key == "SERVICE":
            return value.strip('"')
    return None


def unescape(name: str) -> str:
    r"""Undo what systemd does to characters that the name of a unit may not have (systemd.unit(5)).

    >>> unescape(r"my\x2dmachine")
    'my-machine'
    """
    first, *rest = name.split("\\x")
    texts = [first]
    for part in rest:
        digits = part[:2]
        try:
            texts.append(chr(int(digits, 16)) + part[2:] if len(digits) == 2 else f"\\x{part}")  # noqa: PLR2004
        except ValueError:
            texts.append(f"\\x{part}")
    return "".join(texts)


def _load(content: bytes) -> object:
    """Parse JSON; None for what is none, or would take more memory than a document of its kind ever needs."""
    if content.count(b",") + content.count(b"[") + content.count(b"{") > _MOST_PARTS:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    """Return a text that is there, not absurdly long, and can be encoded."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return None
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
