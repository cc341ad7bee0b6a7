"""The nginx of a host, found by what its nginx.conf says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from backstage.nginx.program import Nginx


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid;\n")
    return Nginx(Path("/bin/false"), conf)


@pytest.mark.parametrize("text", ["", "junk", "0", "this process", "4194305"])
def test_a_number_that_is_no_nginx_is_no_pid_of_it(nginx: Nginx, text: str) -> None:
    """What wrote the file may be gone, and its number another program's."""
    nginx.pid_file.write_text(text.replace("this process", str(os.getpid())))
    assert nginx.pid is None


def test_it_runs_as_long_as_the_process_in_its_file_does(nginx: Nginx, tmp_path: Path) -> None:
    program = shutil.copy2(shutil.which("sleep") or "", tmp_path / "nginx")
    with subprocess.Popen([program, "600"]) as process:
        nginx.pid_file.write_text(f"{process.pid}\n")
        assert nginx.pid == process.pid
        process.kill()
    assert nginx.pid is None
