"""Ways to save a vassal file, as programs do."""

from __future__ import annotations

import os
from pathlib import Path

_OLD = 1_500_000_000


def renamed_with_an_old_date(path: Path, text: str) -> None:
    """As `mv` of a backup, `rsync -a` and `git checkout` do.

    The Emperor goes by dates, so it cannot load this before it has been examined.
    """
    new = path.with_suffix(".new")
    new.write_text(text)
    os.utime(new, (_OLD, _OLD))
    new.replace(path)
