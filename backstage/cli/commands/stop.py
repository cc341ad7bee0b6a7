"""`backstage stop`: stop Acts."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

stop = verb_command(
    Verb.STOP,
    """Stop Acts.

    Several stop side by side; requests under way may finish. Each is done when its port is closed
    and no process of it is left.""",
)
