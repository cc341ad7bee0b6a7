"""Shared by all tests: a home, a register of Venues and ports that no other run uses."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from xdist.remote import Producer

from backstage.layout.host_ports import SHARED
from backstage.operations.new_venue import PORTS

from . import patience, scratch, turns
from .endings import ENDING
from .own_ports import own_ports

Spawn = Callable[..., "subprocess.Popen[str]"]
Listen = Callable[..., socket.socket]

LIB = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
# Much older than any test, so that a fresh copy cannot have this mtime by chance.
LONG_AGO = 1_500_000_000

# The configuration of pip and uv for package indexes, and their caches.
KEPT_OF_HOME = (".cache", ".config/pip", ".config/uv", ".pip")


def pytest_configure(config: pytest.Config) -> None:
    ENDING.listen(config)
    scratch.use()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=turns.turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> turns.ByFile:
    return turns.ByFile(config, log)


class Environment:
    """A directory laid out like a virtual environment, to which tests add distributions."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.site = top / LIB
        self.site.mkdir(parents=True)
        (top / "bin").mkdir()

    def install(self, name: str, files: dict[str, str], needs: Iterable[str] = ()) -> None:
        info = self.site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"]
        metadata += [f"Requires-Dist: {need}\n" for need in needs]
        (info / "METADATA").write_text("".join(metadata))
        for file, content in files.items():
            path = Path(os.path.normpath(self.site / file))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            os.utime(path, (LONG_AGO, LONG_AGO))
        listed = [f"{info.name}/METADATA", f"{info.name}/RECORD", *files]
        (info / "RECORD").write_text("".join(f'"{file}",,\n' for file in listed))


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for the tests of this process only, and for the processes that they start."""
    directory, real = tmp_path_factory.mktemp("home"), Path.home()
    ports = own_ports().of_acts
    for kept in KEPT_OF_HOME:
        if (real / kept).exists():
            (directory / kept).parent.mkdir(exist_ok=True)
            (directory / kept).symlink_to(real / kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(directory))
        # The last two describe no terminal of the tests: pytest loads readline, which sets them.
        for variable in ("XDG_CONFIG_HOME", "COLUMNS", "LINES"):
            patch.delenv(variable, raising=False)
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        patch.setenv(PORTS, f"{ports[0]}-{ports[-1]}")
        patch.setenv(SHARED, str(tmp_path_factory.mktemp("shared")))
        yield directory


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patience.stretch(patch)
        yield


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="bs-open-", dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts programs, each in its own session; those still running end with the test."""
    with ExitStack() as ending:

        def start(*command: str | Path, **options: object) -> subprocess.Popen[str]:
            process = subprocess.Popen(  # type: ignore[call-overload]
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
                **options,
            )
            ending.callback(_end, process)
            return process  # type: ignore[no-any-return]

        yield start


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Opens listening sockets, which close with the test."""
    with ExitStack() as ending:

        def start(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
            listener = ending.enter_context(socket.create_server((host, port)))
            listener.settimeout(30)
            return listener

        yield start


@pytest.fixture
def no_inotify() -> Iterator[None]:
    """All inotify instances of this user are in use."""
    libc = ctypes.CDLL(None)
    taken = []
    while (descriptor := libc.inotify_init()) >= 0:
        taken.append(descriptor)
    yield
    for descriptor in taken:
        os.close(descriptor)


def _end(process: subprocess.Popen[str]) -> None:
    # Until it is waited for, its pid is not reused and so names its session.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with process:
        process.kill()
