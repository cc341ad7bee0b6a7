"""Call the real `backstage`: with pipes, or in a terminal that a test types into."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from backstage.act import Act
from backstage.venue import Venue
from tests.patience import PATIENCE

BACKSTAGE = Path(sys.executable).with_name("backstage")
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>])")


def environment(**more: str) -> dict[str, str]:
    """This process's, with UTF-8, without variables that change what the command uses or shows."""
    told = {"BACKSTAGE_VENUE", "NO_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING", "LC_ALL"}
    kept = {key: value for key, value in os.environ.items() if key not in told}
    path = f"{BACKSTAGE.parent}:{kept['PATH']}"
    return {**kept, "PATH": path, "LANG": "C.UTF-8", "TERM": "xterm", **more}


def call(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command to completion, with pipes for both streams."""
    return subprocess.run(
        [BACKSTAGE, *words],
        cwd=cwd,
        env=environment(**(env or {})),
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def add_view(act: Act, name: str, body: str) -> None:
    """Give an Act a page of its own; seen after a restart."""
    views = act.paths.top / act.name / f"{name}.py"
    views.write_text(f"import os, time\nfrom django.http import HttpResponse\n{body}\n")
    urls = act.paths.top / act.name / "urls.py"
    urls.write_text(
        urls.read_text()
        + f"\nfrom {act.name}.{name} import view as {name}\n"
        + f"urlpatterns.append(path('{name}', {name}))\n"
    )


def slow_act(venue: Venue, name: str, gate: Path) -> Act:
    """A stopped Act whose application loads only once the file `gate` exists."""
    assert call("new-act", name, "--no-start", cwd=venue.path).returncode == 0
    act = venue[name]
    wsgi = act.paths.top / name / "wsgi.py"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
    wsgi.write_text(wait + wsgi.read_text())
    return act


class Terminal:
    """A program in its own terminal; `shown` is all its output so far."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._master = master
        self._written = b""

    @property
    def raw(self) -> str:
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    @property
    def shown(self) -> str:
        """The output without escape sequences, as a person would read it."""
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def type(self, text: str) -> None:
        """Press keys; `\\x03` is Ctrl-C."""
        os.write(self._master, text.encode())

    def await_text(self, pattern: str) -> str:
        """Wait until a text is shown, and return it; discard the output up to its end."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.shown, re.M)):
            assert self._read(deadline), f"{pattern!r} is not in {self.shown!r}"
        self._written = self.shown[found.end() :].encode()
        return found[0]

    def end(self) -> int:
        """Wait for the program to end; return its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(timeout=PATIENCE)

    def _read(self, deadline: float) -> bool:
        """Read more output; False if the program is gone."""
        ready, _, _ = select.select([self._master], [], [], deadline - time.monotonic())
        assert ready, f"nothing more after {self.shown!r}"
        try:
            more = os.read(self._master, 65536)
        except OSError:  # on Linux: the other side is closed
            return False
        self._written += more
        return bool(more)


@contextmanager
def terminal(
    *words: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    program: Sequence[str | Path] = (BACKSTAGE,),
    columns: int = 80,
) -> Iterator[Terminal]:
    """Run a program, by default the command, in a terminal of 24 lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        # Only a session leader can have a terminal, and only with one is Ctrl-C a signal.
        ["setsid", "--ctty", *program, *words],
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        # Closing the terminal sends SIGHUP to the programs in it.
        os.close(master)
        if process.poll() is None:
            process.kill()
        process.wait()
