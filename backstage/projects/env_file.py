"""The .env file of an Act: its own settings and secrets, which Django reads when it starts."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..errors import ActFailed, SettingsError
from ..layout.paths import ActPaths
from ..system import as_user, trust, users
from ..system.files import open_regular, telling_disk_trouble, write_atomically
from ..uwsgi.resident import locked_act
from . import dotenv
from .dotenv import DotEnv

# In bytes; an Act can make the file as long as it likes.
_LONGEST = 1_000_000


class EnvFile(Mapping[str, str]):
    """The variables in the .env of one Act, read anew each time; changed by `set` and `unset`.

    A change takes effect with the Act's next restart. A variable that the vassal file sets with
    `env` overrides .env. Raises ActFailed if the Act has no project directory,
    SettingsError if the file is not text, or longer than 1 MB.
    """

    def __init__(self, act_paths: ActPaths) -> None:
        self._act = act_paths

    def __repr__(self) -> str:
        return f"<EnvFile of {self._act.name!r}: {', '.join(self)}>"

    def __getitem__(self, key: str) -> str:
        return self._read().values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read().values)

    def __len__(self) -> int:
        return len(self._read().values)

    @property
    def path(self) -> Path:
        return self._act.env_file

    def value(self, key: str) -> str:
        """The value of a variable. Raises SettingsError for a missing one."""
        values = self._read().values
        self._refuse_missing(values, key)
        return values[key]

    @property
    def masked(self) -> dict[str, str]:
        """All variables, with secrets and passwords within URLs replaced by asterisks."""
        return self._read().masked

    @property
    def unread(self) -> tuple[int, ...]:
        """The lines of the file, counted from 1, that Django cannot read and ignores."""
        return self._read().unread

    def set(self, variables: Mapping[str, str] | None = None, /, **more: str) -> tuple[str, ...]:
        """Set variables as Django will read them; returns the names that have changed.

        All other lines stay as they are. Raises SettingsError, with nothing changed, for a name or
        a value that a .env cannot hold.
        """
        wanted = {**(variables or {}), **more}
        for key, value in wanted.items():
            if fault := dotenv.fault(key, value):
                raise SettingsError(self.path, None, fault)
        with self._changing() as before:
            after = before.changed(wanted)
            for fault in filter(None, map(after.dangling, wanted)):
                raise SettingsError(self.path, None, fault)
            self._write(before, after)
            return tuple(key for key in wanted if before.values.get(key) != wanted[key])

    def read(self) -> DotEnv:
        """The file as it is now, for `put_back`."""
        return self._read()

    def put_back(self, before: DotEnv, changed: DotEnv) -> bool:
        """Make the file as it was before it was `changed`; False if it has changed again since."""
        with self._changing() as now:
            if now != changed:
                return False
            self._write(now, before)
            return True

    def unset(self, *keys: str) -> None:
        """Remove variables. Raises SettingsError, with nothing changed, for a missing one."""
        with self._changing() as before:
            self._refuse_missing(before.values, *keys)
            self._write(before, before.changed(dict.fromkeys(keys)))

    def _refuse_missing(self, values: Mapping[str, str], *keys: str) -> None:
        if missing := [key for key in keys if key not in values]:
            known = ", ".join(values) or "nothing"
            raise SettingsError(self.path, None, f"has no {missing[0]!r}; it has: {known}")

    @contextmanager
    def _changing(self) -> Iterator[DotEnv]:
        trust.refuse_foreign(self._act.venue.top)
        with (
            telling_disk_trouble(
                f"changing the .env of Act {self._act.name!r}", self._act.venue.top
            ),
            locked_act(self._act, f"changing the .env of {self._act.name}"),
        ):
            yield self._read()

    def _read(self) -> DotEnv:
        with telling_disk_trouble(
            f"reading the .env of Act {self._act.name!r}", self._act.venue.top
        ):
            if not self._act.top.is_dir():
                missing = f"has no project in {self._act.top}, and so no .env"
                raise ActFailed(self._act.name, missing)
            try:
                return DotEnv(self._content().decode())
            except FileNotFoundError:
                return DotEnv("")
            except UnicodeDecodeError as error:
                line = error.object.count(b"\n", 0, error.start) + 1
                why = f"byte {error.object[error.start]:#x} is not UTF-8, so Django cannot read it"
                raise SettingsError(self.path, line, why) from error

    @property
    def _is_foreign(self) -> bool:
        """Whether we are root in another user's directory, where links could lead anywhere."""
        owners = {self._act.top.lstat().st_uid, self._act.top.stat().st_uid}
        return users.am_root() and owners != {users.ROOT}

    def _content(self) -> bytes:
        try:
            with os.fdopen(open_regular(self.path), "rb") as file:
                content = file.read(_LONGEST + 1)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            owner = users.name_of(self.path.lstat().st_uid)
            why = f"is {owner}'s link, which {users.mine()} does not follow; do this as {owner}"
            raise SettingsError(self.path, None, why) from error
        if len(content) > _LONGEST:
            raise SettingsError(self.path, None, "has more than 1 MB, so it is not read")
        return content

    def _write(self, before: DotEnv, after: DotEnv) -> None:
        if after == before:
            return
        if self._is_foreign:
            owner = self._act.top.lstat().st_uid
            as_user.run_as(owner or None, partial(self._replace, self.path, after.text))
        else:
            # If it is a link, the operator edits its target.
            self._replace(Path(os.path.realpath(self.path)), after.text)

    def _replace(self, target: Path, text: str) -> None:
        owner = (target if target.exists() else self._act.top).stat()
        # It is renamed after it has its owner, as the Act might start in between.
        part = target.with_name(f".{target.name}.{self._act.name}.part")
        try:
            write_atomically(part, text, mode=0o600)
            os.chown(part, owner.st_uid, owner.st_gid, follow_symlinks=False)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
