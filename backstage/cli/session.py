"""What all commands of one call share: its Venue, and how it talks."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..layout import registry
from ..shortcuts import use_venue
from ..system import users
from .terminal.screen import Screen

if TYPE_CHECKING:
    from ..act import Act
    from ..venue import Venue

_VARIABLE = "BACKSTAGE_VENUE"


class Session:
    """One call of the command."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.path: Path | None = None
        self.as_json = False
        self.debug = False
        # Commands that change the machine need root; all others act as the owner of the Venue.
        self.keeps_root = False
        # What goes on although the command ends, as after Ctrl-C.
        self.under_way: set[str] = set()

    @cached_property
    def venue(self) -> Venue:
        """The Venue of `--venue` or BACKSTAGE_VENUE, or that which the directory lies in.

        Root becomes its owner before anything of it is read, so that nothing in it becomes root's,
        and no code of others runs as root. Raises NotAVenue, SettingsError, NotAllowed,
        UnsafeDirectory.
        """
        path = self._located
        if not self.keeps_root:
            _become_owner(path)
        return use_venue(path)

    @cached_property
    def _located(self) -> Path:
        if named := self.path or os.environ.get(_VARIABLE):
            return Path(named).expanduser().resolve()
        return registry.venue_above(Path.cwd())

    def give_up_root(self) -> None:
        """Act as the owner of the Venue after all."""
        self.keeps_root = False
        _become_owner(self._located)

    def act(self, name: str) -> Act:
        """An Act of the Venue. Raises NoSuchAct with the name that was probably meant."""
        return self.venue[name]


def _become_owner(venue: Path) -> None:
    owner = users.stand_in(venue) if venue.exists() else None
    if owner is not None:
        users.become(owner)
