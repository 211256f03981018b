"""Charts of Helm."""

from __future__ import annotations

import pytest

from portulan.observe.declared import helm
from tests.observe.declared.reading import found_in

TEMPLATE = """{{- /* a comment " with }} and
 lines */ -}}
{{- if .Values.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "x.name" . }}
  {{- with .Values.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: LoadBalancer
  ports:
  {{- if .Values.tls }}
    - port: 443
  {{- else if .Values.old }}
    - port: 8080
  {{- else }}
    - port: 80
      targetPort: {{ .Values.target | default 8081 }}
  {{- end }}
{{- end }}
---
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: {{ .Chart.Name }}
      image: "{{ .Values.image }}:{{ .Values.tag }}"
      ports:
      {{- range .Values.ports }}
        - containerPort: {{ .number }}
      {{- end }}
        - containerPort: 9000
      env:
        - {name: API, value: "http://{{ .Release.Name }}-api:9001"}
"""


def test_a_template_in_all_its_branches() -> None:
    """Numbers that are written count, in every branch of a condition; what an expression gives does not."""
    assert [find.split(" on ")[0] for find in found_in(helm, TEMPLATE, "chart/templates/all.yaml")] == [
        "15 published 443",
        "17 published 8080",
        "19 published 80",
        "34 internal 9000",
        "36 dialled 9001",
    ]


def test_branches_keep_the_lines() -> None:
    """Whatever is blanked, each branch has the lines of the template."""
    shown = list(helm.branches(TEMPLATE))
    assert len(shown) == 3
    assert {text.count("\n") for text in shown} == {TEMPLATE.count("\n")}
    assert not any("{{" in text for text in shown)


@pytest.mark.parametrize(
    "text", ["{{ if x }}" * 500, "{{ end }}{{ else }}", "{{", '{{ "', "{{/*", "}}", "{{ if a }}{{ else }}" * 50]
)
def test_unbalanced_actions_are_no_matter(text: str) -> None:
    """A template that is damaged gives what it gives."""
    assert len(list(helm.branches(text))) <= helm.MOST_BRANCHES


def test_values_go_by_their_keys() -> None:
    """Values have the names of what they become in a manifest, or of a service that others provide."""
    text = """image: {repository: "reg:5000/x", tag: "8080"}
service:
  type: LoadBalancer
  port: 80
  targetPort: 8080
  nodePort: 30080
  annotations: {port: "1"}
adminService: {port: 81}
svc: {type: ClusterIP, ports: [{port: 82, targetPort: 8082, protocol: UDP}]}
containerPorts: {http: 8083, https: 8443}
containerPort: 8084
hostPort: 8085
metrics: {enabled: true, port: 9090}
externalDatabase: {host: x, port: "5432"}
livenessProbe: {httpGet: {port: 8086}}
env: {PORT: "8087"}
extraEnvVars:
  - {name: API, value: "http://api:8088"}
extraArgs: [--grpc-port=8089]
sidecars:
  - ports: [{containerPort: 8090, hostPort: 8091}]
transport: 8092
replicaCount: 3000
podLabels: {}
"""
    assert found_in(helm, text, "chart/values.yaml") == [
        "4 published 80",
        "5 internal 8080",
        "6 published 30080",
        "8 internal 81",
        "9 internal 8082/udp",
        "9 internal 82/udp",
        "10 internal 8083",
        "10 internal 8443",
        "11 internal 8084",
        "12 published 8085",
        "13 internal 9090",
        "14 dialled 5432",
        "15 dialled 8086",
        "16 internal 8087",
        "18 dialled 8088 on api",
        "19 internal 8089",
        "21 internal 8090",
        "21 published 8091",
    ]


@pytest.mark.parametrize(
    ("head", "name", "is_one"),
    [
        ("a: 1\n", "chart/values.yaml", True),
        ("a: 1\n", "chart/values-prod.yml", True),
        ("apiVersion: v1\nkind: X\n", "values.yaml", False),
        ("kind: {{ .Values.x }}\n", "templates/x.yaml", True),
        ('{{- define "x" -}}\n', "templates/_helpers.tpl", True),
        ("x: {{ foo }}\n", "playbook.yaml", False),
        ("kind: {{ .Values.x }}\n", "notes.md", False),
    ],
)
def test_charts_are_known_by_names_and_actions(head: str, name: str, is_one: bool) -> None:  # noqa: FBT001  # a case
    """Values have their name, templates actions that nothing else has."""
    assert helm.recognise(head, name) is is_one
