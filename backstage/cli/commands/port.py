"""`backstage port`: the port of an Act."""

from __future__ import annotations

from ..exits import Exit
from ..options import act_argument, command
from ..results import Result
from ..session import Session


@command(
    "port", examples="ss -tn sport = :$(backstage port blog)", exits=(Exit.PORT,), for_members=True
)
@act_argument
def port(session: Session, act_name: str) -> Result:
    """Print the port of an Act.

    It is read from the vassal file, with your edits, even while the Act is stopped.
    """
    found = session.act(act_name).get_uwsgi_port()
    return Result({"act": act_name, "port": found}, lambda screen: screen.line(str(found)))
