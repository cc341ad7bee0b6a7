"""`backstage stop`: stop Acts."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

stop = verb_command(
    Verb.STOP,
    """Stop Acts.

    Several Acts stop in parallel; requests in progress may finish. An Act is done when its port is
    closed and none of its processes is left.""",
)
