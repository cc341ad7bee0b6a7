"""The program that tells the targets of `notify`, and ends: what it loads is never in the watcher.

It gets the targets and a notice on standard input, and prints what came of each on a line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from ..status.wording import one_line
from ..system import lazy
from ..system.apart import run_apart

if TYPE_CHECKING:
    import apprise
else:
    # Commands do without it.
    apprise = lazy.module("apprise")

# How long a command may take, in seconds.
_PATIENCE = 10.0
_TYPES = {"trouble": "failure", "over": "success", "held": "warning", "test": "info"}


def main() -> None:
    """Tell every target, and print a line for each."""
    work = json.load(sys.stdin)
    for target in work["targets"]:
        url, command = target["url"], target["command"]
        error = _run(command, work["notice"]) if command else _send(url, work["notice"])
        print(json.dumps({"error": one_line(error)}), flush=True)


def _run(command: str, notice: dict[str, str]) -> str:
    """Run a command with the notice as its input; return what is wrong."""
    ending = run_apart(
        ["/bin/sh", "-c", command],
        lambda _: json.dumps(notice).encode() + b"\n",
        env={**os.environ, "BACKSTAGE_NOTICE": notice["text"]},
        uid=None,
        gains=True,
        patience=_PATIENCE,
    )
    if ending.status is None:
        return f"takes longer than {_PATIENCE:.0f} s"
    said = ending.output.strip().splitlines()[-1:]
    return ": ".join([f"exit code {ending.status}", *said]) if ending.status else ""


def _send(url: str, notice: dict[str, str]) -> str:
    """Send a notice through Apprise; return what is wrong."""
    heard = _Heard()
    logging.getLogger("apprise").addHandler(heard)
    try:
        known = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if known and known.notify(
            title=notice["title"], body=notice["text"], notify_type=_TYPES[notice["kind"]]
        ):
            return ""
    except ModuleNotFoundError as error:
        return f"no module {error.name} in this Venue; type: backstage doctor"
    except Exception as error:  # noqa: BLE001 - a plugin's error is that target's alone
        heard.words.append(f"{type(error).__name__}: {error}")
    finally:
        logging.getLogger("apprise").removeHandler(heard)
    told = heard.words[-1] if heard.words else "Apprise does not say why"
    # A URL may hold a password.
    return told.replace(url, f"{url.partition('://')[0]}://…")


class _Heard(logging.Handler):
    """What Apprise logs about a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())
