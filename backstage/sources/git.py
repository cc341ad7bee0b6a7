"""The program git: with the user's credentials, and nothing run or read that was not asked for."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import CannotWrite, SourceRefused
from ..facts.command_line import join
from ..system import programs
from .urls import Login

# In seconds; a large repository on a slow line takes minutes.
_PATIENCE = 3600.0
_SETTINGS = (
    # Programs that a repository or the user's configuration could name.
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false"),
    # A submodule is never a file of this machine, nor the output of a program.
    *("protocol.ext.allow=never", "protocol.file.allow=user"),
    # What is fetched must not depend on who fetches it.
    *("core.autocrlf=false", "core.eol=lf", "core.attributesFile=/dev/null"),
    *("fetch.recurseSubmodules=false", "submodule.recurse=false"),
    # A server that no longer answers.
    *("http.lowSpeedLimit=1", "http.lowSpeedTime=60"),
    *("core.quotePath=false", "advice.detachedHead=false", "color.ui=false"),
)
# How this user reaches servers; all other variables of git may point it to another repository.
_KEPT = (
    *("GIT_SSH", "GIT_SSL_", "GIT_PROXY_SSL_", "GIT_HTTP_", "GIT_ASKPASS"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    *("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"),
)
# Neither asks in a terminal or in a window; a host that does not answer is given up.
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15"
# `ps` shows this text, not what is in the variables.
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$BACKSTAGE_GIT_USER" "$BACKSTAGE_GIT_PASSWORD"; }; f'
)


class GitFailed(Exception):
    """Raised when git says no; `output` is what it printed."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


@dataclass(frozen=True)
class Git:
    """git in one directory, with the login that a URL had."""

    top: Path
    login: Login | None = None

    def __call__(self, *words: str, settings: tuple[str, ...] = ()) -> str:
        """Run git; returns what it printed. Raises GitFailed, or SourceRefused without git."""
        set_to = [word for each in (*_SETTINGS, *settings) for word in ("-c", each)]
        command = [_program(), *set_to, *words]
        try:
            done = programs.run(
                command, env=self._environment(), timeout=_PATIENCE, leads=True, cwd=self.top
            )
        except programs.TookTooLong as error:
            raise GitFailed(f"git has not answered for {_PATIENCE:.0f} s") from error
        if done.returncode == 0:
            return done.stdout
        if "No space left on device" in done.stdout or "Disk quota exceeded" in done.stdout:
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.top))
            raise CannotWrite("git cannot write what it fetches", full)
        raise GitFailed(done.stdout)

    def _environment(self) -> dict[str, str]:
        mine = programs.tool_environment()
        kept = {
            key: value
            for key, value in mine.items()
            if not key.startswith("GIT_") or key.startswith(_KEPT)
        }
        kept.pop("SSH_ASKPASS", None)
        # In its own language, because its messages are the only answers to some questions.
        kept.update(LC_ALL="C.UTF-8", LANGUAGE="", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0")
        kept.setdefault("GIT_CONFIG_COUNT", "0")
        if not {"GIT_SSH", "GIT_SSH_COMMAND"} & kept.keys() and not _has_ssh_command(kept):
            kept["GIT_SSH_COMMAND"] = _SSH
        return _with_login(kept, self.login) if self.login else kept


def _has_ssh_command(environment: dict[str, str]) -> bool:
    """Whether this user has configured another program or other options for ssh."""
    command = [_program(), "config", "--global", "--get", "core.sshCommand"]
    return programs.run(command, env=environment).returncode == 0


def _with_login(environment: dict[str, str], login: Login) -> dict[str, str]:
    """The environment in which git uses a login: `ps` shows that to nobody but this user."""
    if login.password:
        pairs = [("credential.helper", ""), (f"credential.{login.place}.helper", _HELPER)]
    else:
        pairs = [(f"credential.{login.place}.username", login.user)]
    first = int(environment["GIT_CONFIG_COUNT"])
    added = {"GIT_CONFIG_COUNT": str(first + len(pairs))}
    for number, (key, value) in enumerate(pairs, first):
        added |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    secret = {"BACKSTAGE_GIT_USER": login.user, "BACKSTAGE_GIT_PASSWORD": login.password}
    return {**environment, **added, **secret}


def _program() -> str:
    if found := shutil.which("git"):
        return found
    raise SourceRefused("git", f"git is not installed; type: {join(['apt', 'install', 'git'])}")
