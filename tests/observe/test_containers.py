"""Containers: names and images from the runtimes' own files, in a root of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import containers, files, survey
from portulan.observe.containers import Container, Containers, parse_bundle, parse_docker, parse_storage, runtime_of
from tests.test_startup import HOLDER, cgroup_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portulan.model import Incomplete

ID = "0123456789abcdef" * 4
TASKS = "run/containerd/io.containerd.runtime.v2.task"
HOSTILE = "a\nb\x1b[31m\u202e"


def write(root: Path, path: str, content: object) -> Path:
    """Write a file below a root: bytes as they are, everything else as JSON."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def described(root: Path, path: str, home: str | None = None, container: str = ID) -> Container:
    """Describe the one container of a root, where nothing is refused."""
    incomplete: list[Incomplete] = []
    found = Containers(incomplete, root=str(root), home_of=lambda _uid: home).describe(container, path)
    assert incomplete == []
    return found


def test_docker(tmp_path: Path) -> None:
    """Docker's name loses its slash, and the image is what the container was started with."""
    document = {"ID": ID, "Name": "/web", "Config": {"Image": "nginx:1.25", "Env": ["SECRET=x"]}}
    write(tmp_path, f"var/lib/docker/containers/{ID}/config.v2.json", document)
    for path in (f"/system.slice/docker-{ID}.scope", f"/docker/{ID}", f"/kubepods/burstable/pod1/{ID}"):
        assert described(tmp_path, path) == Container("docker", "web", "nginx:1.25")


def test_docker_elsewhere(tmp_path: Path) -> None:
    """Where daemon.json moves Docker's data, it is read there; a path that is none moves nothing."""
    write(tmp_path, "etc/docker/daemon.json", {"data-root": "/srv/docker"})
    write(tmp_path, f"srv/docker/containers/{ID}/config.v2.json", {"Name": "/web"})
    assert described(tmp_path, f"/docker/{ID}").name == "web"
    assert containers.parse_daemon(b'{"data-root": "relative"}') is None


def test_podman(tmp_path: Path) -> None:
    """Podman's name and image stand in the list of its storage, the image in a text with JSON in it."""
    metadata = json.dumps({"image-name": "docker.io/library/nginx:latest", "name": "web"})
    rows = [{"id": "f" * 64, "names": ["other"]}, {"id": ID, "names": ["web"], "metadata": metadata}]
    write(tmp_path, "var/lib/containers/storage/overlay-containers/containers.json", rows)
    found = described(tmp_path, f"/machine.slice/libpod-{ID}.scope/container")
    assert found == Container("podman", "web", "docker.io/library/nginx:latest")


def test_rootless_podman(tmp_path: Path) -> None:
    """What a user runs is found below the home of the user whose slice the control group lies in."""
    rows = [{"id": ID, "names": ["web"]}]
    write(tmp_path, "home/eve/.local/share/containers/storage/overlay-containers/containers.json", rows)
    path = f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"
    assert described(tmp_path, path, "/home/eve") == Container("podman", "web", None)
    assert described(tmp_path, path) == Container("podman", None, None)


def test_cri_o(tmp_path: Path) -> None:
    """CRI-O's container is namespace/pod/container, by the annotations of its runtime's configuration."""
    annotations = {
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.container.name": "nginx",
        "io.kubernetes.cri-o.ImageName": "docker.io/library/nginx:1.25",
    }
    for storage in ("run/containers/storage", "var/lib/containers/storage"):
        root = tmp_path / storage.partition("/")[0]
        write(root, f"{storage}/overlay-containers/{ID}/userdata/config.json", {"annotations": annotations})
        found = described(root, f"/kubepods.slice/crio-{ID}.scope")
        assert found == Container("cri-o", "shop/web-0/nginx", "docker.io/library/nginx:1.25")


def test_containerd(tmp_path: Path) -> None:
    """Tasks of containerd are looked through by namespace: Kubernetes' and nerdctl's annotations are understood."""
    annotations = {
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-name": "web-0",
        "io.kubernetes.cri.container-name": "nginx",
        "io.kubernetes.cri.image-name": "nginx:1.25",
    }
    write(tmp_path / "cri", f"{TASKS}/k8s.io/{ID}/config.json", {"annotations": annotations})
    path = f"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}"
    assert described(tmp_path / "cri", path) == Container("containerd", "shop/web-0/nginx", "nginx:1.25")
    write(tmp_path / "nerdctl", f"{TASKS}/default/{ID}/config.json", {"annotations": {"nerdctl/name": "web"}})
    assert described(tmp_path / "nerdctl", f"/default/nerdctl-{ID}.scope") == Container("containerd", "web", None)


def test_machines(tmp_path: Path) -> None:
    """A container of LXC is its own name; one of nspawn is unescaped, and other services' machines have no runtime."""
    assert described(tmp_path, "/lxc.payload.web/init.scope", container="web") == Container("lxc", "web", None)
    path = r"/machine.slice/machine-my\x2dweb.scope/payload"
    nspawn = Container("systemd-nspawn", "my-web", None)
    assert described(tmp_path, path, container=r"my\x2dweb") == nspawn
    write(tmp_path, "run/systemd/machines/my-web", b'NAME=my-web\nSERVICE="systemd-nspawn"\n')
    assert described(tmp_path, path, container=r"my\x2dweb") == nspawn
    write(tmp_path, "run/systemd/machines/my-web", b"SERVICE=libvirt-lxc\n")
    assert described(tmp_path, path, container=r"my\x2dweb").runtime is None
    escaping = r"..\x2f..\x2fetc\x2fpasswd"
    assert described(tmp_path, f"/machine.slice/machine-{escaping}.scope", container=escaping).name is None


@pytest.mark.parametrize(
    ("path", "runtime"),
    [
        (f"/system.slice/docker-{ID}.scope", "docker"),
        (f"/docker/{ID}/system.slice/nginx.service", "docker"),
        (f"/machine.slice/libpod-{ID}.scope", "podman"),
        (f"/libpod_parent/libpod-{ID}", "podman"),
        (f"/kubepods.slice/cri-containerd-{ID}.scope", "containerd"),
        (f"/system.slice/containerd.service/pod:cri-containerd:{ID}", "containerd"),
        (f"/kubepods.slice/crio-{ID}.scope", "cri-o"),
        (f"/kubepods/burstable/pod1/{ID}", None),
        (f"/strange-{ID}.scope", None),
        ("/", None),
    ],
)
def test_the_path_tells_the_runtime(path: str, runtime: str | None, tmp_path: Path) -> None:
    """Where no file may be read the path of the control group still tells the runtime, and there is no name."""
    assert runtime_of(path, ID) == runtime
    assert described(tmp_path, path) == Container(runtime, None, None)


def test_refused_names_are_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That names were refused is one line, however many containers; the runtime is shown all the same."""

    def refuse(path: str, _most: int) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(files, "read", refuse)  # root, who runs the tests elsewhere, is refused nothing
    incomplete: list[Incomplete] = []
    found = Containers(incomplete, root=str(tmp_path))
    assert found.describe(ID, f"/docker/{ID}") == Container("docker", None, None)
    assert found.describe("f" * 64, f"/docker/{'f' * 64}").name is None
    assert [note.what for note in incomplete] == ["names of containers"]
    assert incomplete[0].hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"Name": "/we',
        b"[1, 2]",
        b"null",
        b'{"Name": 7, "Config": [], "annotations": "x", "id": {}}',
        b'{"Name": {"a": 1}, "Config": {"Image": null}, "annotations": {"io.kubernetes.pod.name": []}}',
        b'{"Name": "' + b"x" * 10_000 + b'"}',
        b"1" * 10_000,
        b"[" + b"[]," * 200_001 + b"[]]",
    ],
    ids=range(11),
)
def test_files_of_no_use(content: bytes) -> None:
    """Empty, binary, deep, truncated, absurdly long or wrongly typed files name nothing and break nothing."""
    assert parse_docker(content) is None
    assert parse_bundle(content) is None
    assert parse_storage(content, ID) is None
    assert parse_storage(b'[{"id": "' + ID.encode() + b'", "names": 7, "metadata": "' + b"{" * 99 + b'"}]', ID) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["Name", "Config", "Image", "id", "names", "metadata", "annotations"]), inner
            )
        ),
    )
)
def test_any_document(document: Any) -> None:  # noqa: ANN401  # whatever JSON can hold
    """Any document gives texts that can be encoded, or nothing."""
    content = json.dumps(document).encode()
    for found in (parse_docker(content), parse_bundle(content), parse_storage(content, "")):
        for text in found or ():
            assert text is None or text.encode("utf-8")


def test_hostile_names_stay_texts(tmp_path: Path) -> None:
    """A name may hold what moves cursors; half a surrogate pair is made visible, so that it can be printed."""
    write(tmp_path, f"var/lib/docker/containers/{ID}/config.v2.json", {"Name": "/" + HOSTILE})
    assert described(tmp_path, f"/docker/{ID}").name == HOSTILE
    assert parse_docker(b'{"Name": "\\ud800"}') == ("\\ud800", None)


def test_loops_and_pipes_in_a_home(tmp_path: Path) -> None:
    """A user who leaves loops of links and pipes where names should be gets no name, and nobody waits."""
    storage = tmp_path / "home/eve/.local/share/containers/storage"
    storage.mkdir(parents=True)
    (storage / "overlay-containers").mkdir()
    os.mkfifo(storage / "overlay-containers" / "containers.json")
    (storage / "vfs-containers").symlink_to("vfs-containers")
    path = f"/user.slice/user-1000.slice/libpod-{ID}.scope"
    assert described(tmp_path, path, "/home/eve") == Container("podman", None, None)


@pytest.fixture
def port_in_a_container() -> Iterator[int]:
    """Hold a port in a control group that is called like one of Docker's."""
    group = cgroup_tree() / f"docker-{ID[:-8]}{os.urandom(4).hex()}.scope"
    try:
        group.mkdir()
    except OSError as refused:
        pytest.skip(f"no control group can be made: {refused}")
    try:
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            try:
                (group / "cgroup.procs").write_text(str(holder.pid))
            except OSError as refused:
                holder.kill()
                pytest.skip(f"no process can be moved to a control group: {refused}")
            holder.stdin.write("\n")
            holder.stdin.flush()
            yield int(holder.stdout.readline())
            with contextlib.suppress(BrokenPipeError):
                holder.stdin.write("\n")
                holder.stdin.flush()
    finally:
        group.rmdir()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes a control group")
def test_a_socket_in_a_real_control_group(
    port_in_a_container: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that was made in a container's control group carries runtime, name and image of the container."""
    plain = next(iter(survey(port_in_a_container)))
    assert plain.container is not None
    assert (plain.container_runtime, plain.container_name) == ("docker", None)
    document = {"Name": "/web", "Config": {"Image": "nginx:1.25"}}
    write(tmp_path, f"var/lib/docker/containers/{plain.container}/config.v2.json", document)
    describe = Containers.describe

    def elsewhere(self: Containers, container: str, path: str | None) -> Container:
        self._root = str(tmp_path)  # a real Docker's folder is not the test's to write to
        return describe(self, container, path)

    monkeypatch.setattr(Containers, "describe", elsewhere)
    seen = next(iter(survey(port_in_a_container)))
    assert (seen.container_runtime, seen.container_name, seen.container_image) == ("docker", "web", "nginx:1.25")
