"""systemd runs this: it returns when every Act of the Venue answers, or has failed.

Without it, the Emperor would count as started before it has started any Act. Usage:
ready.py VENUE SECONDS
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any

# Vassals that run other programs never accept for themselves, so their port is tried.
DAEMON = re.compile(r"^\s*(?:smart-)?attach-daemon2?\s*=", re.MULTILINE)
PORT = re.compile(r"^\s*set-placeholder\s*=\s*port=(\d+)", re.MULTILINE)


def ask(stats: Path) -> Any:
    """What the Emperor says of its vassals; it looks at their files once it has been asked."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(stats))
        return json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))


def is_ready(file: Path, vassal: Any) -> bool:
    """Whether the Act answers, or would once it is woken."""
    if vassal["accepting"] or vassal["on_demand"]:
        return True
    text = file.read_text(errors="replace")
    if not vassal["ready"] or not DAEMON.search(text):
        return False
    port = PORT.search(text)
    return not port or answers(int(port[1]))


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def pending(venue: Path) -> list[str]:
    """The Acts that are still on their way."""
    said = ask(venue / "run" / "emperor.stats")
    vassals = {vassal["id"]: vassal for vassal in said["vassals"]}
    failed = {vassal["id"] for vassal in said["blacklist"]}
    files = sorted((venue / "vassals").glob("[!.]*.ini"))
    return [
        file.stem
        for file in files
        if file.name not in failed
        and not (file.name in vassals and is_ready(file, vassals[file.name]))
    ]


def main(venue: Path, patience: float) -> str:
    """What there is to complain of in the end, for sys.exit."""
    end = time.monotonic() + patience
    waiting: list[str] | None = None
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            waiting = pending(venue)
        if waiting == []:
            return ""
        time.sleep(0.05)
    return "no Emperor answers" if waiting is None else f"not ready yet: {', '.join(waiting)}"


sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])) or None)
