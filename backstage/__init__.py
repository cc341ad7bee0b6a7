"""Many Django services on one host, made simple.

The public API is the names in `__all__` here, the functions in `backstage.shortcuts`, the error
classes in `backstage.errors`, and the command `backstage`. All other modules are internal: you may
use every attribute of the objects that public calls return, but the modules that define them may
move in any release.

    from backstage import new_act, new_venue, use_venue
"""

from __future__ import annotations

# Type checkers take this name to be true. Importing `typing` would cost more than all the rest.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .act import Act
    from .batches import Outcome, Verb
    from .doctor.finding import Finding, Severity
    from .errors import BackstageError
    from .events.event import Event
    from .events.streams import EventStream
    from .facts.faults import Fault
    from .facts.past import Past
    from .facts.relocations import Relocation, Waiting
    from .facts.renewals import Cause, Fate, Renewal, Replacement, Upgrade
    from .facts.snapshots import Snapshot
    from .facts.states import State
    from .facts.untaken import Untaken
    from .layout.releases import Release
    from .logs.journal import Journal
    from .logs.source import LogLine
    from .operations.deploy import Deployed
    from .projects.env_file import EnvFile
    from .shortcuts import (
        deploy_act,
        new_act,
        new_venue,
        relocate_venue,
        rename_act,
        retire_venue,
        rollback_act,
        unretire_act,
        unretire_venue,
        upgrade_venue,
        use_venue,
        venue_from_cwd,
    )
    from .venue import Venue
else:
    # Hidden from type checkers, which would otherwise accept any name.
    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
        globals()[name] = value
        return value


__all__ = [
    "Act",
    "BackstageError",
    "Cause",
    "Deployed",
    "EnvFile",
    "Event",
    "EventStream",
    "Fate",
    "Fault",
    "Finding",
    "Journal",
    "LogLine",
    "Outcome",
    "Past",
    "Release",
    "Relocation",
    "Renewal",
    "Replacement",
    "Severity",
    "Snapshot",
    "State",
    "Untaken",
    "Upgrade",
    "Venue",
    "Verb",
    "Waiting",
    "deploy_act",
    "new_act",
    "new_venue",
    "relocate_venue",
    "rename_act",
    "retire_venue",
    "rollback_act",
    "unretire_act",
    "unretire_venue",
    "upgrade_venue",
    "use_venue",
    "venue_from_cwd",
]

_MODULES = {
    "Act": "act",
    "BackstageError": "errors",
    "Cause": "facts.renewals",
    "Deployed": "operations.deploy",
    "EnvFile": "projects.env_file",
    "Event": "events.event",
    "EventStream": "events.streams",
    "Fate": "facts.renewals",
    "Fault": "facts.faults",
    "Finding": "doctor.finding",
    "Journal": "logs.journal",
    "LogLine": "logs.source",
    "Outcome": "batches",
    "Past": "facts.past",
    "Release": "layout.releases",
    "Relocation": "facts.relocations",
    "Renewal": "facts.renewals",
    "Replacement": "facts.renewals",
    "Severity": "doctor.finding",
    "Snapshot": "facts.snapshots",
    "State": "facts.states",
    "Untaken": "facts.untaken",
    "Upgrade": "facts.renewals",
    "Venue": "venue",
    "Verb": "batches",
    "Waiting": "facts.relocations",
    "deploy_act": "shortcuts",
    "new_act": "shortcuts",
    "new_venue": "shortcuts",
    "relocate_venue": "shortcuts",
    "rename_act": "shortcuts",
    "retire_venue": "shortcuts",
    "rollback_act": "shortcuts",
    "unretire_act": "shortcuts",
    "unretire_venue": "shortcuts",
    "upgrade_venue": "shortcuts",
    "use_venue": "shortcuts",
    "venue_from_cwd": "shortcuts",
}


def __dir__() -> list[str]:
    """Only the public names."""
    return sorted(__all__)
