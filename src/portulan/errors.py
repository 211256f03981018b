"""The one exception tree.

::

    PortulanError            everything Portulan raises on purpose; has a message and often a hint
    ├── UsageError           the words of the call are wrong: no such port, verb or option
    ├── NotFound             what was asked for does not exist
    ├── RegistryError        a registry file or index cannot be used
    ├── RecordingError       a recording of a watch cannot be read or written
    ├── PolicyError          a policy cannot be used; has each fault with its place
    ├── ReadError            a file of somebody else's observations cannot be read
    ├── WriteError           observations cannot be written to where they should go
    └── ObserveError         the territory cannot be seen
        ├── NotPermitted     ... because the system refuses
        └── NotSupported     ... because this system has no such source
"""

from __future__ import annotations


class PortulanError(Exception):
    """An error to show to a user: what happened, and in `hint` what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the message, without a final full stop, and the hint."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PortulanError):
    """The words of the call are wrong."""


class NotFound(PortulanError):  # noqa: N818  # reads as what happened, like the two below
    """What was asked for does not exist."""


class RegistryError(PortulanError):
    """A registry file or index cannot be used."""


class RecordingError(PortulanError):
    """A recording of a watch cannot be read or written."""


class Fault:
    """What is wrong at one place of a file: line and column from 1, the text there, what is wrong, what to do."""

    def __init__(self, line: int, column: int, text: str, message: str, hint: str | None = None) -> None:
        """Take the place and the text that stands there."""
        self.line = line
        self.column = column
        self.text = text
        self.message = message
        self.hint = hint


class PolicyError(PortulanError):
    """A policy cannot be used. `faults` are all that were found, in the order of the file."""

    def __init__(self, file: str, faults: tuple[Fault, ...]) -> None:
        """Tell of the first; the door tells of each."""
        first = faults[0]
        super().__init__(f"{file}:{first.line}:{first.column}: {first.message}", hint=first.hint)
        self.file = file
        self.faults = faults
        self.text: str | None = None
        """The text of the file, where there is one to show a line of."""


class ReadError(PortulanError):
    """A file of somebody else's observations, or one that declares ports, cannot be read."""


class WriteError(PortulanError):
    """Observations cannot be written to where they should go."""


class ObserveError(PortulanError):
    """The territory cannot be seen."""


class NotPermitted(ObserveError):  # noqa: N818
    """The system refuses to show it."""


class NotSupported(ObserveError):  # noqa: N818
    """This system has no such source."""
