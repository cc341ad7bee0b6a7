"""Packages and wheels: a tree that asks for them."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

from uv import find_uv_bin

from backstage.sources.fetching import fetch
from backstage.sources.source import Source


def test_a_package_is_a_tree_that_asks_for_it(tmp_path: Path) -> None:
    done = fetch(Source.of("health_checks==3.1"), tmp_path / "code")
    assert os.listdir(tmp_path / "code") == ["requirements.txt"]
    assert (tmp_path / "code" / "requirements.txt").read_text() == "health_checks==3.1\n"
    assert done.what == "health_checks==3.1"


def test_a_wheel_lies_in_the_tree_that_asks_for_it(tmp_path: Path) -> None:
    """uv takes it from there if it is called in that directory."""
    path = tmp_path / "größe 1" / "shop-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("shop/__init__.py", "")
        info = "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n"
        wheel.writestr("shop-1.0.dist-info/METADATA", info)
        wheel.writestr("shop-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("shop-1.0.dist-info/RECORD", "")
    top = tmp_path / "code"
    fetch(Source.of(str(path)), top)
    path.unlink()
    command = ["pip", "install", "--offline", "--target", str(tmp_path / "env")]
    wanted = ["-r", str(top / "requirements.txt")]
    subprocess.run([find_uv_bin(), *command, *wanted], check=True, cwd=top, timeout=60)
    assert (tmp_path / "env" / "shop" / "__init__.py").exists()
