"""What came of trying new code before a restart."""

from __future__ import annotations

from enum import Enum


class Trial(Enum):
    """The outcome of a trial that does not stand in the way of a restart."""

    PASSED = "passed"
    NOT_RUNNING = "the Act does not run, so there is nothing to protect"
    FAULTY = "the vassal file has a fault, so uWSGI would not load it"
    NOT_WSGI = "it is no WSGI application"
    NOT_PLAIN = "only uWSGI can tell which application the vassal file means"
    NEEDS_UWSGI = "it imports the module uwsgi, which only uWSGI has"

    def __str__(self) -> str:
        return self.value
