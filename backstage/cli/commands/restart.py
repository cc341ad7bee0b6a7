"""`backstage restart`: run new code and settings."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

restart = verb_command(
    Verb.RESTART,
    """Restart Acts with their new code and settings.

    Several restart one after the other, each on the socket that it has, so that no request is
    lost. Stopped ones are started; with --all they stay stopped. Each is done when all its workers
    are new ones and it answers.""",
)
