"""The state of one call: its Venue, its output and its options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..layout import registry
from ..layout.paths import VenuePaths
from ..sharing import terms
from ..shortcuts import use_venue
from ..system import users
from .terminal.screen import Screen

if TYPE_CHECKING:
    from ..act import Act
    from ..venue import Venue

_VARIABLE = "BACKSTAGE_VENUE"


class Session:
    """One call of the program."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.path: Path | None = None
        self.as_json = False
        self.debug = False
        # Commands that change the machine need root; all others run as the Venue's owner.
        self.keeps_root = False
        # Members of the group that a Venue is shared with may use this command.
        self.is_for_members = False
        # The command line, without the program.
        self.words: Sequence[str] = ()
        # What continues after the command ends, for example after Ctrl-C.
        self.under_way: set[str] = set()

    @cached_property
    def venue(self) -> Venue:
        """The Venue of `--venue`, of BACKSTAGE_VENUE, or around the current directory.

        Root switches to its owner before it reads any file of the Venue, so that no file in it
        becomes root's and no one else's code runs as root. Raises NotAVenue, SettingsError,
        NotAllowed, UnsafeDirectory.
        """
        path = self.located
        if not self.keeps_root:
            _become_owner(path)
        paths = VenuePaths(path)
        if not self.is_for_members and terms.is_shared(paths):
            raise terms.refusal(paths, self.words)
        return use_venue(path)

    @cached_property
    def located(self) -> Path:
        """Where the Venue is to be. Raises NotAVenue."""
        if named := self.path or os.environ.get(_VARIABLE):
            return Path(named).expanduser().resolve()
        return registry.venue_above(Path.cwd())

    def give_up_root(self) -> None:
        """Switch to the Venue's owner."""
        self.keeps_root = False
        _become_owner(self.located)

    def act(self, name: str) -> Act:
        """An Act of the Venue. Raises NoSuchAct, which suggests a similar name."""
        return self.venue[name]


def _become_owner(venue: Path) -> None:
    owner = users.stand_in(venue) if venue.exists() else None
    if owner is not None:
        users.become(owner)
