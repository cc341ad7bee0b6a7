"""The demonstration behind `make demo`: a Venue, an Act, and a page that answers."""

from __future__ import annotations

import shutil
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from backstage.errors import BackstageError, NotAVenue
from backstage.operations.new_venue import Step
from backstage.shortcuts import new_act, new_venue, use_venue

PLACE = Path(__file__).resolve().parent.parent / "demo"
VENUE = "MyVenue"
ACT = "MyAct"


def start() -> None:
    PLACE.mkdir(exist_ok=True)
    begin = time.monotonic()

    def tell(step: Step) -> None:
        print(f"  {time.monotonic() - begin:5.2f} s  {step.title}", flush=True)

    print(f"Creating the Venue {PLACE / VENUE}")
    venue = new_venue(VENUE, PLACE, progress=tell)
    try:
        print(f"Creating the Act {ACT}")
        act = new_act(venue, ACT)
        with urllib.request.urlopen(act.url) as answer:
            page = answer.read().decode()
        title = page.partition("<title>")[2].partition("</title>")[0].strip()
        taken = time.monotonic() - begin
        print(f"  {taken:5.2f} s  {answer.status} {answer.reason}, a page titled {title!r}")
    except BaseException:
        venue.stop()
        raise
    print(f"""
{act!r}

  Open       {act.url}
  Restart    touch {act.paths.vassal.relative_to(Path.cwd())}
  Stop       rm {act.paths.vassal.relative_to(Path.cwd())}
  Log        tail -f {act.paths.log.relative_to(Path.cwd())}
  All over   make demo-stop""")


def stop() -> None:
    if not (PLACE / VENUE).exists():
        print("There is no demo.")
        return
    with suppress(NotAVenue):
        use_venue(PLACE / VENUE).stop()
    shutil.rmtree(PLACE)
    print(f"Stopped; nothing runs any more, and {PLACE} is gone.")


if __name__ == "__main__":
    try:
        {"start": start, "stop": stop}[sys.argv[1]]()
    except BackstageError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted; nothing of the demo runs.")
