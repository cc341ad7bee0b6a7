"""`backstage url`: the URL of an Act."""

from __future__ import annotations

from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session


@command(
    "url", examples="curl -s $(backstage url blog)healthz", exits=(Exit.PORT,), for_members=True
)
@act_argument
def url(session: Session, act_name: str) -> Result:
    """Print the URL of an Act.

    It works in a browser on this machine, and is printed even while the Act is stopped.
    """
    found = session.act(act_name).url
    return Result({"act": act_name, "url": found}, lambda screen: screen.line(found))
