"""What a command does as root before it switches to the Venue's owner."""

from __future__ import annotations

from ..system import users
from ..systemd import client
from .session import Session


def start_unit(session: Session) -> None:
    """As root, have systemd start the Emperor, before giving up root."""
    session.keeps_root = True
    service = client.service_of(session.venue.path) if users.am_root() else None
    if service and not service.at_work:
        session.venue.start()
    session.give_up_root()
