"""Packages, which are installed into the environment of a release: a tree only names them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..system.files import open_regular
from .fetched import Fetched

# What fills the environment finds it there, as in any project.
REQUIREMENTS = "requirements.txt"


def ask_for(requirement: str, top: Path) -> Fetched:
    """Write a tree that needs nothing but one package of the index, as `name==version`."""
    (top / REQUIREMENTS).write_text(f"{requirement}\n", encoding="utf-8")
    return Fetched(requirement)


def bring(wheel: Path, top: Path) -> Fetched:
    """Write a tree that needs nothing but the wheel that lies in it."""
    with os.fdopen(open_regular(wheel), "rb") as file, (top / wheel.name).open("xb") as copy:
        shutil.copyfileobj(file, copy)
    (top / REQUIREMENTS).write_text(f"./{wheel.name}\n", encoding="utf-8")
    return Fetched(str(wheel))
