"""How an Act is asked whether visitors get an answer, and what it said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HealthCheck:
    """A GET request for `path`, or a `command` run in the Act's directory if there is one.

    The answer must have the HTTP status `status`, any below 500 if that is None, and contain
    `text`; a command must exit with 0. Either has `timeout` seconds. With neither path nor command,
    the Act is not asked. `host` is the name that the request is for.
    """

    path: str = ""
    status: int | None = None
    text: str = ""
    command: str = ""
    timeout: float = 5.0
    host: str = "localhost"

    def __bool__(self) -> bool:
        return bool(self.path or self.command)


@dataclass(frozen=True)
class Generation:
    """The processes that ran when an Act was asked, each as `pid:start`.

    `respawns` counts the reloads since the master began, and `loaded` is when it loaded its files
    last, 0 if unknown. Other processes may run other code.
    """

    master: str
    respawns: int
    loaded: int
    workers: frozenset[str]

    def counts_on(self, now: Generation) -> bool:
        """Whether uWSGI has not begun to count requests anew since then."""
        same = (self.master, self.respawns, self.loaded)
        return same == (now.master, now.respawns, now.loaded)

    def lasts(self, now: Generation) -> bool:
        """Whether what these processes said holds for the present ones too."""
        some_remain = self.workers == now.workers or bool(self.workers & now.workers)
        return self.counts_on(now) and some_remain


@dataclass(frozen=True, kw_only=True)
class HealthRecord:
    """What an Act said when it was asked the last time.

    `at` is when, in seconds since the system booted; `since` is when it began to say so, in seconds
    since the epoch. `why` is the reason in one line if it does not answer well. `asked` is how many
    requests have asked it since uWSGI began to count them.
    """

    generation: Generation
    at: float
    since: float
    ok: bool
    why: str = ""
    asked: int = 0
