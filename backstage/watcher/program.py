"""The program of the watcher, which `templates/launch` runs."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..system import lazy
from .emperor import Emperor

if TYPE_CHECKING:
    from . import resident
else:
    # It loads most of this library, while the Emperor may want to end us.
    resident = lazy.module("backstage.watcher.resident")


def main() -> None:
    """Watch the Venue that the command line names until the Emperor ends this process."""
    # Ctrl-C in the Emperor's terminal: the Emperor tells us to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    emperor = Emperor(int(os.environ["UWSGI_EMPEROR_FD"]))
    emperor.obey()
    resident.watch(Path(sys.argv[-1]), emperor)
