"""The build hook: the index and the search are built from the facts, the languages compiled; all go into the wheel.

They are built, so they are in no repository. A wheel gets them from a folder that is thrown away; an editable install
gets them where it reads them, beside the source.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RegistryBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration is hatchling's business
    """Builds ``registry.idx``, ``search.sqlite`` and the catalogues of the languages."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the files before a wheel is packed; a source distribution has the facts and needs none."""
        if self.target_name != "wheel":
            return
        package = Path(self.root, "src", "portulan")
        if version == "editable":
            self._run("portulan.registry.build", package / "registry")
            self._run("portulan.atlas.catalogues", package / "atlas" / "locale")
            return
        self._folder = tempfile.TemporaryDirectory(prefix="portulan-build-")
        for module, place in (("registry.build", "registry"), ("atlas.catalogues", "atlas/locale")):
            folder = Path(self._folder.name, place)
            folder.mkdir(parents=True)
            self._run(f"portulan.{module}", folder)
        for file in sorted(Path(self._folder.name).rglob("*.*")):
            inside = file.relative_to(self._folder.name).as_posix()
            build_data["force_include"][str(file)] = f"portulan/{inside}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # the interface
        """Throw the folder away."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _run(self, module: str, folder: Path) -> None:
        # Another process, so that the environment that hatchling runs in keeps nothing of the package. What the build
        # requires is where PYTHONPATH says, in an environment that was made for the build alone.
        paths = [str(Path(self.root, "src")), *filter(None, [os.environ.get("PYTHONPATH")])]
        subprocess.run(  # noqa: S603  # our own module
            [sys.executable, "-m", module, str(folder)],
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
