"""What holds for every test."""

from __future__ import annotations

import os

os.environ["PORTULAN_CACHE"] = ""  # tests leave nothing in the user's cache, and learn nothing from it
