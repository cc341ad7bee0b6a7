"""`backstage open`: an Act in the browser."""

from __future__ import annotations

import webbrowser

from ...system import users
from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session


@command("open", examples="backstage open blog", exits=(Exit.PORT,))
@act_argument
def open_(session: Session, act_name: str) -> Result:
    """Open an Act in the browser.

    It also prints the URL; as root in another user's Venue, it only does that. $BROWSER or the
    system's settings choose the browser.
    """
    found = session.act(act_name).url
    # One with another user's settings could type into root's terminal.
    opened = not users.has_become() and webbrowser.open(found)
    note = "" if opened else "  (no browser found)"
    return Result(
        {"act": act_name, "url": found, "opened": opened},
        lambda screen: screen.line(f"{found}{note}"),
    )
