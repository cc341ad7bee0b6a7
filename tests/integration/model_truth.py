"""What the kernel says of a Venue: processes, ports and files, read without the library."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# A request that is not answered within so many seconds is not answered.
PATIENCE = 1.0
_LISTENING = "0A"
_THREADS = re.compile(rb"threads=(\d+)")


@dataclass(frozen=True)
class Process:
    """One line of the kernel's list, zombies left out."""

    pid: int
    parent: int
    command: str
    halted: bool


@dataclass(frozen=True)
class ActTruth:
    """One Act as the kernel shows it; `threads` is what the answer told of the vassal's options."""

    file: bool
    emperor: bool
    master: int | None
    processes: tuple[int, ...]
    port: int | None
    answers: bool
    threads: int | None

    @property
    def state(self) -> str | None:
        """The state that follows; None for what cannot last."""
        if self.answers:
            return "running" if self.file else None
        if not self.file:
            return None if self.processes else "stopped"
        return "failing" if self.emperor else (None if self.processes else "waiting")

    @property
    def identity(self) -> tuple[object, ...]:
        """What has to be the same for a while before it counts."""
        if self.state == "running":
            return (self.state, self.master, self.processes, self.port, self.threads)
        return (self.state,)


@dataclass(frozen=True)
class Truth:
    emperor: int | None
    acts: dict[str, ActTruth]

    @property
    def identity(self) -> tuple[object, ...]:
        return (self.emperor, *(self.acts[name].identity for name in sorted(self.acts)))


def truth(top: Path, names: list[str]) -> Truth:
    """Look at the kernel's lists now."""
    everybody = processes_of(top)
    emperors = [
        one
        for one in everybody
        if _is_emperor(one) and not any(_is_emperor(p) and p.pid == one.parent for p in everybody)
    ]
    assert len(emperors) <= 1, f"two Emperors: {emperors}"
    emperor = emperors[0].pid if emperors else None
    listening = _listening()
    return Truth(emperor, {name: _act(top, name, everybody, emperor, listening) for name in names})


def processes_of(top: Path) -> list[Process]:
    """Every process whose working directory or program lies in the Venue."""
    return [
        one
        for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
        if (one := _process(pid, top))
    ]


def _process(pid: int, top: Path) -> Process | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in {"Z", "X"}:
            return None
        places = [Path(f"/proc/{pid}/{link}").readlink() for link in ("cwd", "exe")]
        if not any(f"{place}/".startswith(f"{top}/") for place in places):
            return None
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return None
    return Process(pid, int(fields[1]), command, fields[0] in {"T", "t"})


def _is_emperor(process: Process) -> bool:
    return process.command.startswith("backstage emperor") or "emperor.ini" in process.command


def _act(
    top: Path, name: str, everybody: list[Process], emperor: int | None, listening: dict[str, int]
) -> ActTruth:
    own = [one for one in everybody if one.command.endswith(f"--ini {name}.ini")]
    masters = [one.pid for one in own if emperor and one.parent == emperor]
    ports = {port for one in own for port in _ports(one.pid, listening)}
    answer = b""
    port = min(ports, default=None)
    if port:
        answer = ask(port)
    told = _THREADS.search(answer)
    return ActTruth(
        file=(top / "vassals" / f"{name}.ini").exists(),
        emperor=emperor is not None,
        master=min(masters, default=None),
        processes=tuple(sorted(one.pid for one in own)),
        port=port,
        answers=bool(answer),
        threads=int(told[1]) if told else None,
    )


def _listening() -> dict[str, int]:
    """The ports that are listened to, by the inode of the socket."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9]: int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENING}


def _ports(pid: int, listening: dict[str, int]) -> set[int]:
    found: set[int] = set()
    with suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
                inode = target.removeprefix("socket:[").removesuffix("]")
                if inode in listening:
                    found.add(listening[inode])
    return found


def ask(port: int) -> bytes:
    """What a real request is answered with; empty where there is no answer in time."""
    said = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while chunk := connection.recv(4096):
            said += chunk
    return said
