"""`backstage undrain`: have visitors sent to drained Acts again."""

from __future__ import annotations

from ...batches import Verb
from ..verbs import verb_command

undrain = verb_command(
    Verb.UNDRAIN,
    """Have visitors sent to drained Acts again.

    Their health path tells again whether they are well.""",
)
