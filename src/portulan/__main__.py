"""The program: what `portulan` and `python -m portulan` run."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def program() -> NoReturn:
    """Run the command line and leave at once.

    One answer makes no garbage that counting references misses, so nobody looks for it, not even while modules are
    loaded; and an interpreter that is taken down properly takes a tenth of a look-up for it. Both are measured in
    docs/decisions/0003-start-up.md.
    """
    gc.disable()
    from portulan.cli import main  # noqa: PLC0415  # as said

    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # closed, or nobody reads: main has said or excused it
        pass
    os._exit(code)


if __name__ == "__main__":
    program()
