"""What stands behind a socket: the container that it is of, the service that systemd starts for it."""

from __future__ import annotations

from portulan.model import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.model import Incomplete, Observation
    from portulan.observe.activation import Activation
    from portulan.observe.containers import Containers

_MANAGERS = frozenset({None, "init.scope"})


class Behind:
    """Looks behind sockets; keeps what it read."""

    __slots__ = ("_activation", "_containers", "_incomplete")

    def __init__(self, incomplete: list[Incomplete]) -> None:
        """Append what is refused to `incomplete`."""
        self._incomplete = incomplete
        self._activation: Activation | None = None
        self._containers: Containers | None = None

    def look(self, observation: Observation) -> Observation:
        """Return an observation with what is known of its container, or of its activation."""
        if observation.container is not None:
            if self._containers is None:
                from portulan.observe.containers import Containers  # noqa: PLC0415  # only where there is one

                self._containers = Containers(self._incomplete)
            found = self._containers.describe(observation.container, observation.cgroup)
            return replace(
                observation,
                container_runtime=found.runtime,
                container_name=found.name,
                container_image=found.image,
            )
        if self._activation is None:
            from portulan.observe.activation import Activation  # noqa: PLC0415  # only where systemd holds a socket

            self._activation = Activation()
        unit = self._activation.behind(observation)
        if unit is None:
            return observation
        name = unit.unit if observation.unit in _MANAGERS else observation.unit
        return replace(observation, unit=name, activates=unit.service)
