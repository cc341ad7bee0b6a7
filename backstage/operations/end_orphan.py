"""Ending an Emperor whose Venue was removed while it ran."""

from __future__ import annotations

from ..errors import EmperorFailed, NotAllowed
from ..system import users
from ..system.locks import posix_holders
from ..systemd import client
from ..uwsgi import orphans
from ..uwsgi.orphans import Orphan


def end(pid: int) -> Orphan:
    """End it with everything that it runs; returns when no process is left.

    If a unit runs it, that is stopped first, or it would start another. Raises EmperorFailed if the
    process is no such Emperor, NotAllowed.
    """
    if pid not in posix_holders():
        # Whose it is does not matter then.
        raise EmperorFailed(f"process {pid} is no Emperor; see: backstage venues")
    orphan = orphans.known(pid)
    service = client.service_of(orphan.venue)
    if service and service.show("MainPID").get("MainPID") == str(pid):
        if not service.own and not users.am_root():
            command = users.root_command("venue", "stop", "--orphan", str(pid))
            raise NotAllowed(f"only root can stop {service.name}, which runs it; type: {command}")
        service.tell("stop")
        if not any(each.pid == pid for each in orphans.find()):
            return orphan
    return orphans.end(pid)
