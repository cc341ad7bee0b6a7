"""What all commands of one call share: its Venue, and how it talks."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import accounts, systemd
from ..shortcuts import use_venue, venue_from_cwd
from .screen import Screen

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

        Root becomes its owner with the first look, so that nothing in it becomes root's, and no
        code of others runs as root. Raises NotAVenue, SettingsError, NotAllowed.
        """
        named = self.path or os.environ.get(_VARIABLE)
        found = use_venue(named) if named else venue_from_cwd()
        if not self.keeps_root:
            _become_owner(found)
        return found

    def give_up_root(self) -> None:
        """Act as the owner of the Venue after all."""
        self.keeps_root = False
        _become_owner(self.venue)

    def start_unit(self) -> None:
        """As root, have systemd start the Emperor while there is the right to do so."""
        self.keeps_root = True
        service = systemd.service_of(self.venue.path) if accounts.am_root() else None
        if service and not service.at_work:
            self.venue.start()
        self.give_up_root()

    def act(self, name: str) -> Act:
        """An Act of the Venue. Raises NoSuchAct with the name that was probably meant."""
        return self.venue[name]


def _become_owner(venue: Venue) -> None:
    owner = accounts.stand_in(venue.path)
    if owner is not None:
        accounts.become(owner)
