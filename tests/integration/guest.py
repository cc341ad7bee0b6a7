"""A throw-away machine with its own kernel: Debian's user-mode Linux, a kernel as a process.

It has features that this host's kernel may lack, above all cgroups v2, and one slow processor. Its
files are those of `machine` under another overlay, since user-mode Linux cannot change the owners
of the host's files. It needs root and the Debian packages user-mode-linux and kmod.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

from .machine import MACHINES, Unbootable, free_name, furnish, lay, link, needed, needs_tmp, unmount

# Its one processor is several times slower than this host's.
_LONG = 4 * PATIENCE
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CLEAN = {"PATH": _PATH, "LANG": "C.UTF-8", "TERM": "dumb", "SYSTEMD_COLORS": "0"}
# Its first program.
_INIT = f"""#!/bin/sh -e
PATH={_PATH}
insmod /usr/lib/uml/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
{{hide_tmp}}
pivot_root . mnt
exec chroot . /lib/systemd/systemd </dev/console >/dev/console 2>&1
"""
# Otherwise systemd would empty this host's /tmp, file by file.
_HIDE_TMP = "mount -t tmpfs -o mode=1777 tmpfs tmp"
# Runs the host's commands one by one: a line of JSON each way, over a serial port.
_AGENT = """
import json, os, subprocess, tty
port = os.open("/dev/ttyS0", os.O_RDWR | os.O_NOCTTY)
tty.setraw(port)
asked, told = os.fdopen(os.dup(port)), os.fdopen(port, "w")
print("{}", file=told, flush=True)
for line in asked:
    done = subprocess.run(**json.loads(line), capture_output=True, text=True, errors="replace")
    said = {"returncode": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
    print(json.dumps(said), file=told, flush=True)
"""
_UNIT = f"""
[Unit]
DefaultDependencies=no
After=multi-user.target
[Service]
ExecStart={sys.executable} /agent.py
"""
# Runs a program in the files of a machine that is switched off; $1 is their directory.
_CHROOT = """
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
exec chroot "$@"
"""
_KERNEL = (
    *("root=/dev/root", "rootfstype=hostfs", "ro", "init=/first.sh", "mem=1200M"),
    *("systemd.unified_cgroup_hierarchy=1", "systemd.show_status=0", "console=tty0"),
    *("con0=null,fd:1", "con=null", "ssl=null"),
)


def missing() -> str:
    """Why a guest cannot run here, in one line; '' if it can."""
    if os.geteuid() != 0:
        return "booting a guest needs root"
    if not shutil.which("linux.uml") or not shutil.which("insmod", path=_PATH):
        return "booting a guest needs the Debian packages user-mode-linux and kmod"
    if hidden := [path for path in needed() if path.is_relative_to("/run")]:
        return f"{hidden[0]} is not visible in a guest, which has its own /run"
    return ""


@contextmanager
def guest(name: str) -> Iterator[Guest]:
    """A guest that is switched off; it is removed completely afterwards."""
    with free_name(name) as free, ExitStack() as ending:
        machine = Guest(MACHINES / free)
        machine.remove()
        ending.callback(machine.remove)
        machine.furnish()
        yield machine


class Guest:
    """One guest; `root` is its `/` as it was before the boot."""

    def __init__(self, top: Path) -> None:
        self.root = top / "disk" / "root"
        self._top = top
        self._kernel: subprocess.Popen[bytes] | None = None
        self._asks, self._tells = -1, -1

    def furnish(self) -> None:
        lay(self._top / "disk")
        furnish(self.root)
        init = _INIT.format(hide_tmp="" if needs_tmp() else _HIDE_TMP)
        (self.root / "first.sh").write_text(init)
        (self.root / "first.sh").chmod(0o755)
        (self.root / "agent.py").write_text(_AGENT)
        units = self.root / "etc/systemd/system"
        (units / "agent.service").write_text(_UNIT)
        link(units / "multi-user.target.wants/agent.service", "/etc/systemd/system/agent.service")

    def prepare(self, *words: str | Path) -> None:
        """Run a program in its files on this host's kernel, which is several times faster."""
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        command = [*apart, "sh", "-ec", _CHROOT, "sh", self.root, *words]
        done = subprocess.run(command, env=_CLEAN, capture_output=True, text=True, timeout=_LONG)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"

    def boot(self) -> None:
        """Switch it on and wait until systemd has started all its own units."""
        inward, self._asks = os.pipe()
        self._tells, outward = os.pipe()
        places = [f"rootflags={self.root}", f"uml_dir={self._top}/"]
        port = f"ssl0=fd:{inward},fd:{outward}"
        with (self._top / "console").open("wb") as console:
            self._kernel = subprocess.Popen(
                # If this run is killed, so is its guest.
                ["setpriv", "--pdeathsig", "TERM", "linux.uml", *_KERNEL, *places, port],
                env=_CLEAN,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=(inward, outward),
                start_new_session=True,
            )
        os.close(inward)
        os.close(outward)
        self._answer()

    def run(
        self, *words: str | Path, user: str = "root", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside."""
        become = [] if user == "root" else ["runuser", "--user", user, "--"]
        args = [*become, *map(str, words)]
        asked = json.dumps({"args": args, "cwd": "/", "env": _CLEAN, "timeout": _LONG})
        os.write(self._asks, f"{asked}\n".encode())
        done = subprocess.CompletedProcess[str](args, **self._answer())
        told = f"{' '.join(args)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert not check or done.returncode == 0, told
        return done

    def remove(self) -> None:
        """Switch it off and remove it completely, in whatever state it is."""
        if self._kernel:
            # On SIGTERM it ends the processes that it runs, which are processes of this host.
            self._kernel.terminate()
            self._kernel.wait()
            os.close(self._asks)
            os.close(self._tells)
            self._kernel = None
        unmount(self._top)
        shutil.rmtree(self._top, ignore_errors=True)

    def _answer(self) -> dict[str, Any]:
        said = b""
        while not said.endswith(b"\n"):
            ready, _, _ = select.select([self._tells], [], [], 2 * _LONG)
            more = os.read(self._tells, 65536) if ready else b""
            if not more:
                console = (self._top / "console").read_text(errors="replace")
                raise Unbootable(
                    f"the guest does not answer; its console ends with: {console[-2000:]}"
                )
            said += more
        answer = json.loads(said)
        assert isinstance(answer, dict)
        return answer
