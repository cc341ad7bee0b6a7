"""`backstage notify`: who is told of an Act in trouble."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ...facts.notices import Delivery, Kind, Notice, Target
from ...layout import executed
from ...system import lazy
from ..exits import Exit
from ..options import command
from ..results import Result
from ..session import Session
from ..terminal.screen import Screen, harmless

if TYPE_CHECKING:
    from ...status import notice_memory
    from ...virtualenvs import apprise_copy, private_copy
    from ...watcher import sending
else:
    apprise_copy = lazy.module("backstage.virtualenvs.apprise_copy")
    notice_memory = lazy.module("backstage.status.notice_memory")
    private_copy = lazy.module("backstage.virtualenvs.private_copy")
    sending = lazy.module("backstage.watcher.sending")

_EXAMPLES = """
backstage notify test    # send a message to each, and see what came of it
"""
_HINT = """No one is to be told. Name them in {}:
notify:
  - mailto://user:password@example.org?to=ops@example.org
  - command: /usr/local/bin/page-somebody"""


@command("notify", examples=_EXAMPLES, exits=(Exit.FAILED, Exit.REFUSED, Exit.SYSTEM))
@click.argument("verb", type=click.Choice(["test"]))
def notify(session: Session, verb: str) -> Result:
    """Try who is told of an Act in trouble.

    `test` sends a message to each target of `notify` in venue.yaml, as the Venue's watcher does,
    and says what came of it. The exit code is 1 if any target could not be told.
    """
    venue = session.venue
    targets = venue.settings.notify
    if not targets:
        found: dict[str, object] = {"targets": []}
        hint = _HINT.format(venue.paths.settings)
        return Result(found, lambda screen: screen.hint(hint), Exit.FAILED)
    return _shown(_sent(session, targets))


def _sent(session: Session, targets: Sequence[Target]) -> list[Delivery]:
    paths = session.venue.paths
    executed.refuse_loose(paths)
    if not paths.library.exists():
        private_copy.make(paths)
    if any(target.url for target in targets):
        apprise_copy.provide(paths)
    notice = Notice(kind=Kind.TEST, venue=str(paths.top), at=time.time())
    work = sending.Sending(paths, targets, notice)
    work.wait()
    return work.end()


def _shown(deliveries: Sequence[Delivery]) -> Result:
    document = {
        "targets": [{"target": each.target.shown, "error": each.error} for each in deliveries]
    }
    width = max(len(each.target.shown) for each in deliveries)

    def show(screen: Screen) -> None:
        for each in deliveries:
            sign, style = ("✗", "bold red") if each.error else ("✓", "green")
            name = harmless(each.target.shown)
            screen.lines([[(sign, style), (f" {name:<{width}}  {each.error or 'told'}", "")]])

    fails = any(each.error for each in deliveries)
    return Result(document, show, Exit.FAILED if fails else Exit.DONE)
