"""Loaded by uWSGI into an Act's master at each start and reload: records what uWSGI has read.

run/ACT.loaded holds the master's pid, then the SHA-256 and the path of the vassal file and of every
file that it includes, so that later edits show. At a reload, the hook in django.ini empties it
just before uWSGI reads the files. A file that has changed since then is left out, as uWSGI may have
read it before the change.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

import uwsgi

INCLUDE = re.compile(r"^\s*(?:ini|include|inherit)\s*=\s*([^:\n]+)", re.MULTILINE)
VASSALS = Path(__file__).parents[1] / "vassals"
# In seconds: the kernel's unit for the start of a process. uWSGI takes longer to read its files.
TICK = 1 / os.sysconf("SC_CLK_TCK")
# The hook of an earlier django.ini writes a word instead.
SHORTEST = 3


def record(act: str) -> None:
    path = Path(os.environ["BACKSTAGE_RUN"]) / f"{act}.loaded"
    since = max(began(), emptied(path))
    lines = [f"{os.getpid()}\n"]
    for file in files(VASSALS / f"{act}.ini"):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if file.stat().st_ctime <= since:
            lines.append(f"{digest}  {file}\n")
    new = path.with_suffix(".part")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text("".join(lines))
    new.replace(path)


def files(vassal: Path) -> list[Path]:
    """The vassal file, and the files that it includes, each once; uWSGI resolves from vassals/."""
    found = [vassal]
    # The list grows during the iteration.
    for file in found:
        names = INCLUDE.findall(file.read_text(errors="replace"))
        paths = [Path(os.path.normpath(VASSALS / name.strip())) for name in names]
        found += [path for path in paths if path not in found and path.is_file()]
    return found


def began() -> float:
    """When this process began, in seconds since the epoch."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + (ticks + 1) * TICK


def emptied(record: Path) -> float:
    """When the hook has emptied the record; 0 if it has not."""
    facts = record.stat() if record.exists() else None
    return facts.st_mtime if facts and facts.st_size < SHORTEST else 0.0


try:
    record(uwsgi.opt["act"].decode())
except (OSError, KeyError, ValueError, AttributeError) as error:
    # The Act runs all the same; only edits that it has not loaded do not show.
    print("cannot record what was loaded:", error)
