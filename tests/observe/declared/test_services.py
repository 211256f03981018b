"""Which service of a file a port belongs to, where the file has several that are started together or in turn."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from portulan.model import Observation
from portulan.observe.declared import compose, kubernetes, procfile
from portulan.observe.readers.source import Source

if TYPE_CHECKING:
    from portulan.observe.readers import Reader

COMPOSE = """\
x-ports: &ports ["8080:80"]
services:
  web: {image: x, ports: *ports}
  spare: {image: x, ports: *ports, profiles: [spare, "${MORE:-all}"]}
"""
SERVICE = """\
kind: Service
metadata: {name: shop}
spec:
  type: NodePort
  healthCheckNodePort: 30081
  ports: [{port: 80, nodePort: 30080}]
---
kind: Pod
metadata: {name: agent}
spec:
  containers: [{name: agent, ports: [{containerPort: 8125, hostPort: 8126}]}]
"""


@pytest.mark.parametrize(
    ("reader", "text", "wanted"),
    [
        (compose, COMPOSE, {(8080, "web", ()), (8080, "spare", ("spare", "all"))}),
        (procfile, "web: puma -p 3000\nadmin: rackup -p 3001\n", {(3000, "web", ()), (3001, "admin", ())}),
        (kubernetes, SERVICE, {(30080, "shop", ()), (30081, "shop", ()), (8126, None, ())}),
    ],
)
def test_a_port_belongs_to_a_service(reader: Reader, text: str, wanted: set[object]) -> None:
    """A service of compose, with its profiles, also where an anchor gives its ports; a process; a Service."""
    with Source(BytesIO(text.encode()), "a file") as source:
        seen = [one for one in reader.read(source) if isinstance(one, Observation)]
    places = [(one.local.port, one.declaration) for one in seen]
    assert {(port, at.service, at.profiles) for port, at in places if at and at.role == "published"} == wanted
