"""Vassal files edited with the programs that operators use."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backstage.act import Act
from backstage.facts.states import State
from backstage.shortcuts import new_act
from backstage.system.deadlines import Deadline, until
from backstage.venue import Venue
from tests.patience import PATIENCE

from .listening import Listener

pytestmark = pytest.mark.slow

VIM = ["vim.tiny", "-u", "NONE"]
OLD, NEW = "threads = 4", "threads = 6"


def sed(path: Path) -> None:
    subprocess.run(["sed", "-i", f"s/{OLD}/{NEW}/", path], check=True)


def vim(path: Path) -> None:
    subprocess.run([*VIM, "-es", "-c", f"%s/{OLD}/{NEW}/", "-c", "wq", path], check=True)


def vim_with_backup(path: Path) -> None:
    """The file is renamed away, and written anew under its name."""
    options = ["--cmd", "set backup backupdir=. backupcopy=no swapfile"]
    change = ["-es", "-c", f"%s/{OLD}/{NEW}/", "-c", "wq"]
    subprocess.run([*VIM, *options, *change, path], check=True)
    path.with_name(f"{path.name}~").unlink(missing_ok=True)


def nano(path: Path) -> None:
    """Search and replace, save, leave: ^\\ … ^O ^X, typed on a terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("nano", ["nano", "-I", str(path)])
    for keys in ("\x1c", f"{OLD}\r", f"{NEW}\r", "a", "\x0f", "\r", "\x18"):
        time.sleep(0.3)
        os.read(terminal, 65536)
        os.write(terminal, keys.encode())
    os.waitpid(child, 0)
    os.close(terminal)


def emacs(path: Path) -> None:
    script = f'(progn (find-file "{path}") (replace-string "{OLD}" "{NEW}") (save-buffer))'
    subprocess.run(["emacs", "--batch", "-Q", "--eval", script], check=True, capture_output=True)
    path.with_name(f"{path.name}~").unlink(missing_ok=True)


def rsync(path: Path) -> None:
    """Keeps the times of the source, which is older than what is there."""
    source = _edited_copy(path)
    subprocess.run(["rsync", "-t", "--ignore-times", source, path], check=True)


def cp(path: Path) -> None:
    subprocess.run(["cp", "-p", _edited_copy(path), path], check=True)


def _edited_copy(path: Path) -> Path:
    source = path.parent.parent / "edited"
    source.write_text(path.read_text().replace(OLD, NEW))
    os.utime(source, (1_500_000_000, 1_500_000_000))
    return source


@pytest.fixture(scope="module")
def act(venue: Venue) -> Iterator[Act]:
    act = new_act(venue, "by_hand")
    yield act
    act.retire()


@pytest.mark.parametrize("save", [sed, vim, vim_with_backup, nano, emacs, rsync, cp])
def test_a_save_is_picked_up_and_comes_true(
    save: Callable[[Path], None], venue: Venue, act: Act
) -> None:
    program = save.__name__.partition("_")[0].replace("vim", "vim.tiny")
    if not shutil.which(program):
        pytest.skip(f"there is no {program} here")
    act.start()
    with venue.events() as stream:
        listener = Listener(act, stream)
        save(act.paths.vassal)
        told = listener.until(State.RUNNING)
        assert NEW in act.paths.vassal.read_text()
        assert until(lambda: act.snapshot().threads == 6, Deadline(PATIENCE))
        assert any("threads = 4 → 6" in event.reason for event in told), [
            event.reason for event in told
        ]
        assert {event.after for event in told} <= {State.RELOADING, State.RUNNING}, told
        act.paths.vassal.write_text(act.paths.vassal.read_text().replace(NEW, OLD))
        listener.until(State.RUNNING)
        assert until(lambda: act.snapshot().threads == 4, Deadline(PATIENCE))
    assert {path.suffix for path in act.paths.venue.vassals.iterdir()} == {".ini"}
