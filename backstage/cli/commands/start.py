"""`backstage start`: start Acts."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

start = verb_command(
    Verb.START,
    """Start Acts.

    Several start side by side; those that run already stay as they are. Each is done when it
    answers. The Emperor is started if need be. A failing Act is tried again at once.""",
)
