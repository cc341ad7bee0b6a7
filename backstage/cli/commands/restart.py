"""`backstage restart`: load new code and settings."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

restart = verb_command(
    Verb.RESTART,
    """Restart Acts to load new code and settings.

    Several Acts restart one after another. Each keeps its socket, so no request is lost. A
    stopped Act is started if it is named; --all leaves it stopped. An Act is done when it answers
    and all its workers are new.

    The new code of a running Act is tried first, in a process of its own, with the Act's user,
    environment and limits: it is loaded, and asked for its health path and for /. If that fails,
    the Act runs on untouched, the reason is shown, and the exit code is 9. --wait 0 returns after
    this check.""",
)
