"""`backstage url`, `port` and `open`: where an Act answers."""

from __future__ import annotations

import webbrowser

from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session

_NO_PORT = (Exit.PORT,)


@command("url", examples="curl -s $(backstage url blog)healthz", exits=_NO_PORT)
@act_argument
def url(session: Session, act_name: str) -> Result:
    """Print the URL of an Act.

    It is where a browser on this machine finds the Act, also while it is stopped.
    """
    found = session.act(act_name).url
    return Result({"act": act_name, "url": found}, lambda screen: screen.line(found))


@command("port", examples="ss -tn sport = :$(backstage port blog)", exits=_NO_PORT)
@act_argument
def port(session: Session, act_name: str) -> Result:
    """Print the port of an Act.

    It follows the vassal file, edits by hand included, also while the Act is stopped.
    """
    found = session.act(act_name).get_uwsgi_port()
    return Result({"act": act_name, "port": found}, lambda screen: screen.line(str(found)))


@command("open", examples="backstage open blog", exits=_NO_PORT)
@act_argument
def open_(session: Session, act_name: str) -> Result:
    """Open an Act in the browser.

    Prints the URL as well. Which browser it is, the system's settings and $BROWSER say.
    """
    found = session.act(act_name).url
    opened = webbrowser.open(found)
    note = "" if opened else "  (no browser to open it with)"
    return Result(
        {"act": act_name, "url": found, "opened": opened},
        lambda screen: screen.line(f"{found}{note}"),
    )
