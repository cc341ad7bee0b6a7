"""`backstage start`: start Acts."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

start = verb_command(
    Verb.START,
    """Start Acts.

    Several Acts start in parallel; running Acts are left alone. An Act is done when it answers. The
    Emperor is started if necessary. A failing Act is retried at once.""",
)
