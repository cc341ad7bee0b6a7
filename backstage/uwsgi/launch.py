"""The settings that `templates/launch` applies to an Act at start: its own user and limits.

They come from venue.yaml, which that script cannot read. An Act with its own user has its files,
sockets and log in directories that no other user can enter.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from pwd import struct_passwd
from shlex import quote

from ..errors import NotAllowed
from ..layout.paths import ActPaths, VenuePaths
from ..layout.settings import ActSettings, Limits, Settings, read_settings
from ..system import files, users
from . import vassal_files

_HEAD = "# Written from venue.yaml with each start and restart.\n"
# The kernel's accounting period for CPU time, in microseconds.
_PERIOD = 100_000
# nginx's groups: they may enter the Acts' directories to serve static files.
_WEB_GROUPS = ("www-data", "nginx")
_HTTP_SOCKET = re.compile(r"^http-socket\s*=.*$", re.MULTILINE)
_UID = re.compile(r"^uid='?(\d+)'?$", re.MULTILINE)
_CLOSED = "\n# Only this Act's user and nginx can enter its directory.\nchmod-socket = 666\n"


def prepare(act_paths: ActPaths) -> bool:
    """Write the Act's launch settings; return whether they changed. The Act must be locked.

    A running Act keeps its launch settings until it is stopped: a reload does not apply new ones.
    Raises SettingsError, UnknownUser, and NotAllowed if the settings need root.
    """
    return _prepare(act_paths, read_settings(act_paths.venue.settings).act(act_paths.name))


def prepare_all(venue_paths: VenuePaths, settings: Settings) -> None:
    """Like `prepare`, for every Act that is to run, before any of them starts."""
    for name in sorted(vassal_files.names(venue_paths.vassals)):
        _prepare(venue_paths.act(name), settings.act(name))


def uid_of(act_paths: ActPaths) -> int | None:
    """The user that this process should run the code of a launched Act as; None for its own user.

    The Act's new user, if it gets another one, may not read its files before the restart.
    """
    owner = users.stand_in(act_paths.venue.top)
    if owner is not None or not users.am_root():
        return owner
    text = _written(act_paths)
    match = _UID.search(text)
    return int(match[1]) if match else users.stand_in(act_paths.venue.top, act_paths.top)


def group_limits(limits: Limits) -> dict[str, str]:
    """Limits as the files of a control group want them."""
    return {
        "memory.max": str(limits.memory or "max"),
        "cpu.max": _cpu(limits) if limits.cpu else "max",
        "pids.max": str(limits.tasks or "max"),
    }


def _cpu(limits: Limits) -> str:
    return f"{(limits.cpu or 0) * _PERIOD // 100} {_PERIOD}"


def _prepare(act_paths: ActPaths, settings: ActSettings) -> bool:
    user = _user(act_paths, settings.run_as) if settings.run_as else None
    if user:
        _seclude(act_paths, user)
    before = _written(act_paths)
    text = _text(settings.limits, user)
    if text and text != before:
        files.write_atomically(act_paths.launch, text)
    elif not text:
        act_paths.launch.unlink(missing_ok=True)
    return text != before


def _written(act_paths: ActPaths) -> str:
    """What `templates/launch` reads now."""
    return files.contents(act_paths.launch).decode() if act_paths.launch.exists() else ""


def _user(act_paths: ActPaths, name: str) -> struct_passwd:
    user = users.by_name(name)
    if not users.am_root():
        again = ("--venue", str(act_paths.venue.top), "systemd", "install", "--run-as", "root")
        raise NotAllowed(
            f"{act_paths.venue.settings} runs {act_paths.name} as {name}, so the Emperor must run "
            f"as root; remove run_as, or type: {users.root_command(*again)}"
        )
    if user.pw_uid == users.ROOT:
        raise NotAllowed(
            f"{act_paths.venue.settings} runs {act_paths.name} as root; name another user"
        )
    return user


def _text(limits: Limits, user: struct_passwd | None) -> str:
    words = {}
    if user:
        words = {"user": user.pw_name, "uid": str(user.pw_uid), "gid": str(user.pw_gid)}
        words["web"] = str(_web_group(user))
        words["home"] = user.pw_dir
    if limits.memory:
        words["memory"] = str(limits.memory)
    if limits.cpu:
        words["cpu"] = _cpu(limits)
    if limits.tasks:
        words["tasks"] = str(limits.tasks)
    lines = "".join(f"{key}={quote(value)}\n" for key, value in words.items())
    return f"{_HEAD}{lines}" if lines else ""


def _seclude(act_paths: ActPaths, user: struct_passwd) -> None:
    """Give the Act's files to its user, and close its directories to everyone else but nginx."""
    group = _web_group(user)
    for shared in (act_paths.venue.run, act_paths.venue.log):
        shared.chmod(0o711)
    _own_directory(act_paths.own_run, user, group, 0o710)
    _own_directory(act_paths.own_log, user, user.pw_gid, 0o700)
    if act_paths.top.is_dir():
        _own_directory(act_paths.top, user, group, 0o710)
    _leave_port(act_paths)


def _web_group(user: struct_passwd) -> int:
    return users.first_group(_WEB_GROUPS, user.pw_gid)


def _own_directory(path: Path, user: struct_passwd, group: int, mode: int) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if path.lstat().st_uid != user.pw_uid:
        # Recursively: root or the previous user may have left files there.
        files.hand_over(path, user.pw_uid, user.pw_gid)
    os.chown(path, user.pw_uid, group, follow_symlinks=False)
    path.chmod(mode)


def _leave_port(act_paths: ActPaths) -> None:
    """Make the Act listen on a socket in its directory: every local user can connect to a port."""
    for path in (act_paths.vassal, act_paths.kept):
        file = vassal_files.read(path)
        if file is None or file.address is None or file.address.option != "http-socket":
            continue
        text = _HTTP_SOCKET.sub(f"http-socket = {act_paths.own_run}/http.sock", file.text)
        vassal_files.write(path, f"{text.rstrip()}\n{_CLOSED}")
