"""Another process with the library: it does what it reads, a line at a time."""

from __future__ import annotations

import json
import sys
import threading

from backstage.errors import BackstageError
from backstage.venue import Venue


class Watcher:
    """Reads the events of a Venue in a thread, until that is closed."""

    def __init__(self, venue: Venue) -> None:
        self.last: dict[str, str] = {}
        self.faults: list[str] = []
        self._stream = venue.events()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for event in self._stream:
            before = self.last.get(event.act, str(event.before))
            if before != str(event.before):
                self.faults.append(f"{event} comes after {before}")
            self.last[event.act] = str(event.after)


class Servant:
    """Does what it is told in one Venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._watcher: Watcher | None = None

    def do(self, verb: str, name: str, wait: float | None) -> object:
        if verb == "watch":
            self._watcher = self._watcher or Watcher(self._venue)
        elif verb == "seen":
            watcher = self._watcher
            return {"last": watcher.last, "faults": watcher.faults} if watcher else None
        elif verb == "close":
            self._venue.close()
            self._watcher = None
        elif name:
            getattr(self._venue.act(name), verb)(wait)
        else:
            getattr(self._venue, verb)()
        return None


def main() -> None:
    servant = Servant(Venue.open(sys.argv[1]))
    for line in sys.stdin:
        verb, name, wait = json.loads(line)
        try:
            answer = {"told": servant.do(verb, name, wait)}
        except BackstageError as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        except Exception as error:  # noqa: BLE001 - told where it is judged
            answer = {"crash": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
