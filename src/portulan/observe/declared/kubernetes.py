"""Kubernetes manifests: Services, the containers of every kind of pod, Ingresses, policies, routes.

Format: the Kubernetes API reference (kubernetes.io/docs/reference/kubernetes-api): Service v1, Pod v1, Ingress v1,
NetworkPolicy v1, Endpoints v1, EndpointSlice v1; Gateway API v1; the ServiceMonitor of Prometheus. A named port is
declared where its number is written, and not where the name is used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.containers import (
    TRANSPORTS,
    in_check,
    in_command,
    in_variable,
    parse_host_address,
    words_of,
)
from portulan.observe.declared.places import Found, find_places, observations
from portulan.observe.declared.positions import NOTHING, json_document, port_of, yaml_documents
from portulan.observe.declared.shell import Word
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from portulan.model import Observation, Role
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "kubernetes"
SAYS = "Kubernetes manifests: Services, pods, Ingresses, policies"

TEMPLATED = re.compile(
    r"\{\{-?\s*(?:/\*|(?:[^{}\"]{0,200}[\s(])?(?:\.(?:Values|Release|Chart|Capabilities|Template)\b|(?:include|template|define)\s+\"))"
)
"""What a template of a chart has in it, and a manifest with braces of other programs has not."""
_API = re.compile(r"^(?:apiVersion:|[ \t{]*\"apiVersion\"\s*:)", re.MULTILINE)
_KIND = re.compile(r"^(?:kind:|[ \t{]*\"kind\"\s*:)", re.MULTILINE)
_NAMED = re.compile(r"\.(?:ya?ml|json)$")
_REFERENCE = re.compile(r"\$\(([\w.-]+)\)")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def recognise(head: str, name: str) -> bool:
    """Go by `apiVersion` and `kind`, which every object has."""
    if not (_API.search(head) and _KIND.search(head)) or TEMPLATED.search(head):
        return False
    return bool(_NAMED.search(name)) or "." not in name.rpartition("/")[2]


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of all objects."""
    return observations(source, _file(source.text(LARGEST_FILE)))


def _file(text: str) -> Iterator[Found | Bad]:
    documents = iter([json_document(text)]) if text.lstrip().startswith("{") else yaml_documents(text)
    for document in documents:
        if isinstance(document, Bad):
            yield document
        else:
            yield from in_object(document)


def in_object(item: Node) -> Iterator[Found]:
    """Yield the ports of an object, or of those in a list."""
    for one in item["items"].items:
        yield from in_object(one)
    kind = item["kind"].text or ""
    if kind == "CustomResourceDefinition":
        return
    spec = item["spec"]
    if kind in _KINDS:
        yield from _KINDS[kind](item)
    elif kind.endswith("Route"):
        for node in spec["rules"].walk():
            for reference in (*node["backendRefs"].items, node["backendRef"]):
                yield from _number(reference["port"], "dialled")
    for pod in (
        spec,
        spec["template"]["spec"],
        spec["jobTemplate"]["spec"]["template"]["spec"],
        item["template"]["spec"],
    ):
        if pod["containers"] or pod["initContainers"]:
            yield from _pod(pod)


def _number(node: Node, role: Role, protocol: Node = NOTHING, address: str | None = None) -> Iterator[Found]:
    """Read a port's number; a name in its place is declared elsewhere."""
    port = port_of(node)
    if port is None:
        return
    # The protocols of a Gateway's listeners are HTTP, TLS and the like too: all of them over TCP.
    transport = TRANSPORTS.get((protocol.text or "").lower(), "tcp")
    yield Found(node.line, port, port, role, transport, address)


# ------------------------------------------------------------------------------------------------------------- pods


def _pod(spec: Node) -> Iterator[Found]:
    listens: Role = "published" if spec["hostNetwork"].text == "true" else "internal"
    for containers in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec[containers].items:
            yield from in_container(container, listens)


def in_container(container: Node, listens: Role) -> Iterator[Found]:
    """Yield the ports of one container: its own, those of its environment and command, those that probes dial."""
    for port in container["ports"].items:
        yield from in_container_port(port, listens)
    values: dict[str, str] = {}
    for variable in container["env"].items:
        name = variable["name"].text or ""
        for value in words_of(variable["value"]):
            values[name] = _referred(value.text, values)
            yield from in_variable(name, Word(values[name], value.line), listens)
    command = [*words_of(container["command"]), *words_of(container["args"])]
    yield from in_command([Word(_referred(word.text, values), word.line) for word in command], values, listens)
    for probe in _PROBES:
        yield from in_probe(container[probe], values)
    for _, hook in container["lifecycle"]:
        yield from in_probe(hook, values)


def in_container_port(port: Node, listens: Role) -> Iterator[Found]:
    """Yield the two numbers that a port of a container may have."""
    yield from _number(port["containerPort"], listens, port["protocol"])
    yield from _number(port["hostPort"], "published", port["protocol"], parse_host_address(port["hostIP"].text))


def in_probe(probe: Node, values: Mapping[str, str]) -> Iterator[Found]:
    """Yield the port that a probe or a hook dials."""
    for kind in ("httpGet", "tcpSocket", "grpc"):
        yield from _number(probe[kind]["port"], "dialled")
    yield from in_check(words_of(probe["exec"]["command"]), values)


def _referred(text: str, values: Mapping[str, str]) -> str:
    """Put variables of the container in the place of `$(NAME)`; one that there is not stays as it stands."""
    return _REFERENCE.sub(lambda match: values.get(match[1], match[0]), text)


# ---------------------------------------------------------------------------------------------------- other objects


def role_of_service(kind: str | None) -> Role:
    """Return the role of a Service's own port by its type.

    A load balancer takes it; else it stays within the cluster. What NodePort adds is another number, on every node
    (kubernetes.io/docs/concepts/services-networking/service, "Publishing Services").
    """
    return "published" if kind == "LoadBalancer" else "internal"


def _service(item: Node) -> Iterator[Found]:
    spec = item["spec"]
    if spec["type"].text == "ExternalName":
        return
    for port in spec["ports"].items:
        yield from in_service_port(port, role_of_service(spec["type"].text))
    yield from _number(spec["healthCheckNodePort"], "published")


def in_service_port(port: Node, role: Role) -> Iterator[Found]:
    """Yield the three numbers that a port of a Service may have."""
    yield from _number(port["port"], role, port["protocol"])
    yield from _number(port["targetPort"], "internal", port["protocol"])
    yield from _number(port["nodePort"], "published", port["protocol"])


def _ingress(item: Node) -> Iterator[Found]:
    for node in item["spec"].walk():
        yield from _number(node["service"]["port"]["number"], "dialled")
        yield from _number(node["servicePort"], "dialled")  # extensions/v1beta1


def _policy(item: Node) -> Iterator[Found]:
    roles: dict[str, Role] = {"ingress": "internal", "egress": "dialled"}
    for direction, role in roles.items():
        for rule in item["spec"][direction].items:
            for port in rule["ports"].items:
                last = port_of(port["endPort"])
                for found in _number(port["port"], role, port["protocol"]):
                    if last is not None and last > found.first:
                        yield replace(found, last=last)
                    else:
                        yield found


def _ports_at(role: Role, key: str, *path: str) -> Callable[[Node], Iterator[Found]]:
    """Return what reads `key` of each element of the lists that lie on a path of keys, one in another."""

    def read_at(item: Node) -> Iterator[Found]:
        nodes = [item]
        for step in path:
            nodes = [below for node in nodes for below in (node[step].items or (node[step],))]
        for node in nodes:
            yield from _number(node[key], role, node["protocol"] if key == "port" else NOTHING)

    return read_at


def _config(item: Node) -> Iterator[Found]:
    for data in ("data", "stringData"):
        # The data of a Secret are in base64.
        for key, value in item[data] if (item["kind"].text, data) != ("Secret", "data") else ():
            if not value.rows:  # a file of several lines is no setting
                yield from in_variable(key.text or "", Word(value.text or "", value.line), "internal")


def _hooks(item: Node) -> Iterator[Found]:
    """Read what the API server dials: webhooks and extensions of itself."""
    for hook in item["webhooks"].items:
        client = hook["clientConfig"]
        yield from _number(client["service"]["port"], "dialled")
        for place in find_places(client["url"].text or ""):
            yield Found.at(client["url"].line, place, "dialled")
    yield from _number(item["spec"]["service"]["port"], "dialled")


_KINDS: dict[str, Callable[[Node], Iterator[Found]]] = {
    "Service": _service,
    "Ingress": _ingress,
    "NetworkPolicy": _policy,
    "ConfigMap": _config,
    "Secret": _config,
    "Endpoints": _ports_at("dialled", "port", "subsets", "ports"),
    "EndpointSlice": _ports_at("dialled", "port", "ports"),
    "Gateway": _ports_at("published", "port", "spec", "listeners"),
    "ServiceMonitor": _ports_at("dialled", "targetPort", "spec", "endpoints"),
    "PodMonitor": _ports_at("dialled", "targetPort", "spec", "podMetricsEndpoints"),
    "ValidatingWebhookConfiguration": _hooks,
    "MutatingWebhookConfiguration": _hooks,
    "APIService": _hooks,
}
