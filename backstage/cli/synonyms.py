"""Words that people know from other tools, and what they mean here."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..facts.command_line import quote

# Understood as they are: they mean the same to users of docker, pm2, systemctl and nginx.
ALIASES = {"ls": "status", "ps": "status", "list": "status", "reload": "restart"}

# Answered with what to type: here they do something else, or need more words.
_MEANT = {
    **dict.fromkeys(("rm", "remove", "delete", "destroy", "uninstall"), "retire {act}"),
    **dict.fromkeys(("kill", "halt", "pause"), "stop {act}"),
    **dict.fromkeys(("run", "runserver", "unpause"), "start {act}"),
    **dict.fromkeys(("info", "show", "inspect", "describe"), "status {act}"),
    "log": "logs {act}",
    **dict.fromkeys(("tail", "journal", "journalctl"), "logs {act} --follow"),
    **dict.fromkeys(("create", "new", "add", "startproject", "startapp"), "new-act {act}"),
    **dict.fromkeys(("set", "config"), "env {act}"),
    **dict.fromkeys(("watch", "monit", "stats"), "top"),
    **dict.fromkeys(("exec", "shell", "python"), "manage {act} shell"),
    **{
        word: f"manage {{act}} {word}"
        for word in (
            *("migrate", "makemigrations", "createsuperuser", "collectstatic", "check"),
            *("dbshell", "dumpdata", "loaddata", "changepassword", "showmigrations", "test"),
        )
    },
    **{"init": "new-venue MyVenue", "up": "venue start", "down": "venue stop"},
    **{"enable": "systemd install", "disable": "systemd uninstall", "history": "events"},
    **{"serve": "nginx bind {act}", "bind": "nginx bind {act}", "unbind": "nginx unbind {act}"},
    **dict.fromkeys(("mv", "move"), "rename {act} NEW_NAME"),
    **{"version": "--version", "browse": "open {act}"},
}
# As in systemctl, where they are followed by what they are about.
_MEANT_OF_ACTS = {"enable": "start", "disable": "stop"}


def meant(words: Sequence[str], commands: Collection[str]) -> str:
    """What somebody may have meant who typed these words, the first of which is no command.

    It is what follows `backstage` in the line to type; '' if that cannot be guessed.
    """
    word, *others = words
    if word in _MEANT:
        named = others and not others[0].startswith("-")
        if named and word in _MEANT_OF_ACTS:
            return f"{_MEANT_OF_ACTS[word]} {quote(others[0])}"
        return _MEANT[word].format(act=quote(others[0]) if named else "ACT")
    if others and ALIASES.get(others[0], others[0]) in commands:
        # The Act first, as in `backstage blog restart`.
        return f"{others[0]} {quote(word)}"
    # Loading it takes long.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, [*commands, *ALIASES], n=1)), "")


def told() -> str:
    """The words that are understood besides the commands, in one sentence."""
    listed = [
        f"{', '.join(word for word in ALIASES if ALIASES[word] == name)} for {name}"
        for name in dict.fromkeys(ALIASES.values())
    ]
    return f"Also understood: {'; '.join(listed)}; help COMMAND."
