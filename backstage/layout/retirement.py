"""The directories in `retired/`, each with the files of one Act and the record of its retirement.

The record is written before anything is moved, and names what is under way. So a call that was
killed is completed by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from ..system.files import contents, remove_tree, write_atomically
from .names import is_act_name
from .paths import ActPaths, VenuePaths

_RECORD = "retired.json"


@dataclass(frozen=True)
class Retirement:
    """An Act in `retired/`. `wanted` tells whether it was to run.

    `returning` tells whether its files are being moved back, `text` with which vassal file then,
    and `new_name` under which name, if another one.
    """

    directory: Path
    act: str
    wanted: bool = False
    returning: bool = False
    text: str = ""
    new_name: str = ""

    @property
    def project(self) -> Path:
        return self.directory / self.act

    @property
    def vassal(self) -> Path:
        """Its vassal file, which is moved last: without it, the retirement is not complete."""
        return self.directory / f"{self.act}.ini"

    @property
    def logs(self) -> Path:
        """The directory for its logs; no Act has a name with a dot."""
        return self.directory / f"{self.act}.logs"

    @property
    def past(self) -> Path:
        """What the watcher had counted of it."""
        return self.directory / f"{self.act}.past.json"

    @property
    def name(self) -> str:
        """The name under which it returns."""
        return self.new_name or self.act

    @property
    def was_killed(self) -> bool:
        """Whether a call has begun to retire it and did not come to the end."""
        return not self.vassal.exists() and not self.returning

    def write(self) -> None:
        """Write the record."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        facts = {key: value for key, value in asdict(self).items() if key != "directory"}
        write_atomically(self.directory / _RECORD, json.dumps(facts), mode=0o600)

    def cancel(self) -> None:
        """Remove the record again, unless files have been moved already."""
        if [path.name for path in self.directory.iterdir()] == [_RECORD]:
            remove_tree(self.directory)

    def begin_return(self, text: str, new_name: str = "") -> Retirement:
        """Record that its files are about to be moved back, with this vassal file."""
        returning = replace(self, returning=True, text=text, new_name=new_name)
        returning.write()
        return returning

    def end_return(self) -> None:
        """Remove the directory, at one stroke: nothing in it is needed any more."""
        part = self.directory.with_name(f".{self.directory.name}.part")
        self.directory.rename(part)
        remove_tree(part)


def begin(act_paths: ActPaths, *, wanted: bool) -> Retirement:
    """Record that an Act is about to be retired; one that was killed meanwhile is continued."""
    for known in retirements(act_paths.venue):
        both = known.project.exists() and act_paths.top.exists()
        if known.act == act_paths.name and known.was_killed and not both:
            return known
    begun = Retirement(_free(act_paths), act_paths.name, wanted)
    begun.write()
    return begun


def retirements(venue_paths: VenuePaths) -> list[Retirement]:
    """Every retired Act, the oldest first."""
    directories = [path for path in venue_paths.retired.glob("[!.]*") if path.is_dir()]
    found = [each for path in directories if (each := _read(path))]
    return sorted(found, key=lambda each: each.directory.stat().st_mtime_ns)


def _read(directory: Path) -> Retirement | None:
    try:
        facts = json.loads(contents(directory / _RECORD))
        found = Retirement(directory, **facts)
        return found if is_act_name(found.act) and is_act_name(found.name) else None
    except FileNotFoundError:
        return next(_of_earlier_version(directory), None)
    except (OSError, ValueError, TypeError):
        return None


def _of_earlier_version(directory: Path) -> Iterator[Retirement]:
    """Earlier versions wrote no record."""
    for vassal in directory.glob("*.ini"):
        if is_act_name(vassal.stem):
            yield Retirement(directory, vassal.stem)


def _free(act_paths: ActPaths) -> Path:
    base = act_paths.venue.retired / f"{date.today().isoformat()}-{act_paths.name}"
    numbered = (base.with_name(f"{base.name}-{number}") for number in range(2, 10_000))
    return next(path for path in (base, *numbered) if not path.exists())
