"""`backstage drain`: have visitors sent elsewhere."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

drain = verb_command(
    Verb.DRAIN,
    """Have visitors sent elsewhere; Acts still serve them.

    The health path of a drained Act answers 503 until it is undrained, stopped or started, so that
    a load balancer takes it out. Every request is still served. This needs a health path that is no
    page for visitors; scaffolded Acts have one.""",
)
