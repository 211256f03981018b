"""Kubernetes manifests."""

from __future__ import annotations

import pytest

from portulan.observe.declared import kubernetes
from tests.observe.declared.reading import found_in


@pytest.mark.parametrize(
    ("kind", "role"), [("", "internal"), ("type: NodePort", "internal"), ("type: LoadBalancer", "published")]
)
def test_a_service_has_the_role_of_its_type(kind: str, role: str) -> None:
    """With LoadBalancer the port of a Service is published, else its node port alone; its target is within."""
    text = f"""apiVersion: v1
kind: Service
spec:
  {kind}
  ports:
    - port: 80
      targetPort: 8080
      protocol: UDP
      nodePort: 30080
    - {{port: 443, targetPort: https}}
"""
    assert found_in(kubernetes, text) == [
        f"6 {role} 80/udp",
        "7 internal 8080/udp",
        "9 published 30080/udp",
        f"10 {role} 443",
    ]


def test_a_service_outside_has_no_ports() -> None:
    """ExternalName is a name in the DNS."""
    assert (
        found_in(kubernetes, "{apiVersion: v1, kind: Service, spec: {type: ExternalName, ports: [{port: 80}]}}") == []
    )


POD = """
  containers:
    - name: web
      image: example:8080
      ports:
        - {name: web, containerPort: 8000, protocol: TCP}
        - containerPort: 53
          hostPort: 5353
          hostIP: 127.0.0.1
          protocol: UDP
      env:
        - name: PORT
          value: "8001"
        - {name: DB, value: "postgres://db:5432/x"}
      command: [app, --port, $(PORT)]
      args: ["--cache=redis://cache:6379", "$(NONE)"]
      livenessProbe: {httpGet: {port: 8002}}
      readinessProbe: {httpGet: {port: web}}
      startupProbe: {grpc: {port: 8003}, exec: {command: [nc, -z, localhost, "8004"]}}
      lifecycle: {preStop: {httpGet: {port: 8005}}}
  initContainers:
    - args: [--port=8006]
"""


@pytest.mark.parametrize("host", [False, True], ids=["own network", "host's network"])
def test_containers_of_a_pod(host: bool) -> None:  # noqa: FBT001  # a case
    """What a container listens on is internal, or published where the pod is on its host's network; probes dial."""
    listens = "published" if host else "internal"
    text = f"apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: {str(host).lower()}" + POD
    assert found_in(kubernetes, text) == [
        f"9 {listens} 8000",
        f"10 {listens} 53/udp",
        "11 published 5353/udp on 127.0.0.1",
        f"16 {listens} 8001",
        "17 dialled 5432 on db",
        f"18 {listens} 8001",
        "19 dialled 6379 on cache",
        "20 dialled 8002",
        "22 dialled 8003",
        "22 dialled 8004 on localhost",
        "23 dialled 8005",
        f"25 {listens} 8006",
    ]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        *((kind, "{template: {spec: %s}}") for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")),
        ("CronJob", "{jobTemplate: {spec: {template: {spec: %s}}}}"),
        ("Rollout", "{template: {spec: %s}}"),
    ],
)
def test_every_kind_that_has_pods(kind: str, path: str) -> None:
    """Whatever makes pods, their containers are read."""
    spec = path % "{containers: [{ports: [{containerPort: 80}]}]}"
    assert found_in(kubernetes, f"apiVersion: apps/v1\nkind: {kind}\nspec: {spec}\n") == ["3 internal 80"]


OTHERS = [
    ("Ingress", "spec: {rules: [{http: {paths: [{backend: {service: {port: {number: 80}}}}]}}]}", ["dialled 80"]),
    ("Ingress", "spec: {defaultBackend: {service: {port: {name: http}}}, backend: {servicePort: 81}}", ["dialled 81"]),
    (
        "Gateway",
        "spec: {listeners: [{protocol: HTTPS, port: 443}, {protocol: UDP, port: 53}]}",
        ["published 443", "published 53/udp"],
    ),
    ("HTTPRoute", "spec: {parentRefs: [{port: 1}], rules: [{backendRefs: [{port: 80}]}]}", ["dialled 80"]),
    (
        "NetworkPolicy",
        "spec: {ingress: [{ports: [{port: 80}]}], egress: [{ports: [{port: 53, protocol: UDP}]}]}",
        ["dialled 53/udp", "internal 80"],
    ),
    ("NetworkPolicy", "spec: {ingress: [{ports: [{port: 80, endPort: 81}]}]}", ["internal 80", "internal 81"]),
    ("Endpoints", "subsets: [{ports: [{port: 80}]}]", ["dialled 80"]),
    ("EndpointSlice", "ports: [{port: 80}]", ["dialled 80"]),
    ("ServiceMonitor", "spec: {endpoints: [{port: web}, {targetPort: 9100}]}", ["dialled 9100"]),
    (
        "ConfigMap",
        'data: {PORT: "80", DB_URL: "http://db:81", nginx.conf: "listen 82;"}',
        ["dialled 81 on db", "internal 80"],
    ),
    ("Secret", "data: {PORT: ODA=}\nstringData: {PORT: '80'}", ["internal 80"]),
    ("ValidatingWebhookConfiguration", "webhooks: [{clientConfig: {service: {port: 8443}}}]", ["dialled 8443"]),
    ("CustomResourceDefinition", "spec: {containers: [{ports: [{containerPort: 80}]}]}", []),
    ("Pod", "metadata: {annotations: {port: '80'}, labels: {port: '81'}}", []),
]


@pytest.mark.parametrize(("kind", "rest", "finds"), OTHERS)
def test_other_kinds(kind: str, rest: str, finds: list[str]) -> None:
    """Each kind has its ports where its reference says, and annotations have none."""
    rows = found_in(kubernetes, f"apiVersion: v1\nkind: {kind}\n{rest}\n")
    assert [row.split(" ", 1)[1] for row in rows] == finds


def test_lists_documents_and_json() -> None:
    """Objects come in lists, in documents one after another, and in JSON."""
    text = """apiVersion: v1
kind: List
items:
- {kind: EndpointSlice, ports: [{port: 80}]}
---
kind: [
---
kind: EndpointSlice
ports: [{port: 81}]
"""
    assert found_in(kubernetes, text) == ["4 dialled 80", "7 bad", "9 dialled 81"]
    assert found_in(kubernetes, '{"apiVersion": "v1",\n\t"kind": "EndpointSlice",\n\t"ports": [{"port": 80}]}') == [
        "3 dialled 80"
    ]


@pytest.mark.parametrize(
    ("head", "name", "is_one"),
    [
        ("apiVersion: v1\nkind: X\n", "a.yaml", True),
        ("apiVersion: v1\nkind: X\n", "standard input", True),
        ('{"apiVersion": "v1",\n "kind": "X"}', "a.json", True),
        ("apiVersion: v2\nname: chart\n", "Chart.yaml", False),
        ("apiVersion: v1\nkind: X\nx: {{ .Values.y }}\n", "a.yaml", False),
        ("apiVersion: v1\nkind: X\nx: '{{ $labels.pod }} {{workflow.name}}'\n", "a.yaml", True),
        ("apiVersion: v1\nkind: X\n", "a.md", False),
    ],
)
def test_a_manifest_is_known_by_version_and_kind(head: str, name: str, is_one: bool) -> None:  # noqa: FBT001  # a case
    """Both are there at the beginning of a line, and no template of a chart is one."""
    assert kubernetes.recognise(head, name) is is_one
