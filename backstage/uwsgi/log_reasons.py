"""Find the one-line reason why an Act fails at the end of its log."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

_CURSED = re.compile(r"\[emperor\] curse the uwsgi instance (?P<file>.+) \(pid: (?P<pid>\d+)\)")
_PID = re.compile(r"\bpid:? (?P<pid>\d+)\b")
_FRAME = re.compile(r'\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')
_NAMED_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Configured): ")
_TIME = re.compile(r"^(?:\d{4}-\d\d-\d\d [\d:]{8} - |\w{3} \w{3} [ \d]\d [\d:]{8} \d{4} - )")
# What uWSGI logs when it cleans up after a failure; it never is the reason.
_CLEANING_UP = re.compile(r"unlink\(\): ")
# The position in uWSGI's C code, which does not help an operator.
_C_SOURCE = re.compile(r" \[\w+/\w+\.c line \d+\]$")
# uWSGI's own messages about failures before any Python code ran, the most specific first.
_COMPLAINTS = (
    re.compile(r"\[strict-mode\] (?P<what>unknown config directive: .*)"),
    re.compile(r"(?P<what>error binding .*|bind\(\): .*|.*Address already in use.*)"),
    re.compile(r"(?P<what>Listen queue size is greater than .*|[ug]id .* not found.*)"),
    re.compile(r"(?P<what>.*No such file or directory.*)"),
    re.compile(r"(?P<what>.*invalid .*|.*syntax error.*|unable to .*)"),
)
_OPTION = re.compile(r"\[strict-mode\] unknown config directive: (?P<name>.*)")
_NO_FILE = re.compile(r"realpath\(\) of (?P<name>.*) failed: No such file or directory")
_TAKEN = re.compile(r"uWSGI is running on the same address \((?P<name>.*)\)")

# What `templates/launch` logs for the Emperor and for the Act; all that uWSGI says is for the Act.
_LAUNCHED = re.compile(
    r"^(?:\d{4}-\d\d-\d\d [\d:]{8} - )?(?P<file>\S+) starts \(pid \d+\)$", re.MULTILINE
)
# A reload with a broken configuration never logs a start.
_START = re.compile(rf"\*\*\* Starting uWSGI |binary reloading uWSGI\.\.\.|{_LAUNCHED.pattern}")
_READY = re.compile(r"WSGI app \d+ .* ready in \d+ seconds")
_NOT_LOADED = re.compile(r"unable to load app|no app loaded|failed loading app")
_PARTING = re.compile(r"goodbye to uWSGI|SIG\w+ received|received message \d+ from emperor")
_MASTER = re.compile(r"spawned uWSGI master process \(pid: (?P<pid>\d+)\)")
_SPAWNED = re.compile(r"spawned uWSGI .*\((?:new )?pid: (?P<pid>\d+)")
_DEATH = re.compile(
    r"DAMN ! (?P<who>worker \d+) \(pid: (?P<pid>\d+)\) (?:died|MISTERIOUSLY)"
    r"(?:,? killed by signal (?P<signal>\d+))? :\("
)
_SEGFAULT = re.compile(r"!!! uWSGI process (?P<pid>\d+) got Segmentation Fault !!!")
_OVERDUE = re.compile(r"\*\*\* HARAKIRI ON WORKER \d+ \(pid: (?P<pid>\d+),")
_OVERDUE_REQUEST = re.compile(r"HARAKIRI \[core \d+\] \S+ - (?P<request>.+) since \d+")
_SIGSEGV = 11

_CONFIGURED = re.compile(r"\[uWSGI\] getting INI configuration from (?P<file>.+)")
_FATE = re.compile(
    r"\[emperor\] (?:curse the uwsgi instance|vassal) (?P<vassal>\S+) (?:\(pid|has been spawned)"
)

# An exception raised in a library is usually its caller's fault.
_LIBRARY = re.compile(r"/lib(?:64)?/python3[\d.]*/|^<")
_IMPORTING = re.compile(r"/importlib/__init__\.py$|^<frozen importlib")
_APP_LIST = re.compile(r"/django/apps/config\.py$")
_ENTRY = re.compile(r"= get_[aw]sgi_application\(\)")
_SYNTAX = re.compile(r"(?:SyntaxError|IndentationError|TabError)\b")


@dataclass(frozen=True)
class Death:
    """How a worker died, as its master logged it; `signal` is 0 if it exited by itself.

    `request` is the request that it was killed for when that took too long; `words` is its last
    output if it died while loading.
    """

    who: str
    pid: int
    signal: int = 0
    request: str = ""
    words: str = ""


@dataclass(frozen=True)
class _Frame:
    file: str
    line: str
    source: str

    @property
    def is_library(self) -> bool:
        return _LIBRARY.search(self.file) is not None

    @property
    def is_entry(self) -> bool:
        return _ENTRY.search(self.source) is not None


def reason_from(log: str) -> str:
    """The last exception with its file and line, else uWSGI's own error, else ''."""
    lines = log.splitlines()
    return _exception(lines) or _complaint(lines)


def exception_in(log: str) -> str:
    """The last exception with its file and line, or ''."""
    return _exception(log.splitlines())


def trouble_in(life: str, worded: Callable[[Death], str]) -> str:
    """Why one life of an Act failed; if its last death is the reason, as `worded` describes it.

    Failures that it survived do not count: exceptions after the application loaded, and deaths
    before it last loaded.
    """
    lines = life.splitlines()
    loaded = _last(_READY, lines)
    survived = loaded > _last(_NOT_LOADED, lines)
    died = _last(_DEATH, lines)
    if survived:
        return worded(deaths_in(life)[-1]) if died > loaded else ""
    if later := _exception(lines[died + 1 :]):
        return later
    return _complaint(lines) if died < 0 else worded(deaths_in(life)[-1])


def deaths_in(log: str, pids: Collection[int] | None = None) -> list[Death]:
    """The deaths of workers in a log, in order; only those with these `pids`, if given."""
    lines = log.splitlines()
    crashed = {match["pid"] for line in lines if (match := _SEGFAULT.search(line))}
    found = []
    for at, line in enumerate(lines):
        match = _DEATH.search(line)
        if match and (pids is None or int(match["pid"]) in pids):
            # uWSGI catches this signal itself, logs it and then exits.
            told = match["signal"] or (_SIGSEGV if match["pid"] in crashed else 0)
            request = _overdue(lines[:at], match["pid"])
            words = "" if told else _last_words(lines[:at], line)
            found.append(Death(match["who"], int(match["pid"]), int(told), request, words))
    return found


def last_life(log: str) -> str:
    """The part of a log since uWSGI last started or began to reload."""
    lines = log.splitlines()
    return "\n".join(lines[max(_last(_START, lines), 0) :])


def life_of(log: str, pids: Collection[int]) -> str:
    """The last life in a log that mentions one of these processes; '' if none does."""
    lines = log.splitlines()
    naming = (at for at in range(len(lines) - 1, -1, -1) if _names_one_of(pids, lines[at]))
    at = next(naming, -1)
    if at < 0:
        return ""
    end = next((n for n in range(at + 1, len(lines)) if _START.search(lines[n])), len(lines))
    return last_life("\n".join(lines[: at + 1])) + "\n" + "\n".join(lines[at + 1 : end])


def master_in(life: str) -> int | None:
    """The pid of a life's master, if it got that far."""
    match = _MASTER.search(life)
    return int(match["pid"]) if match else None


def silent_master(life: str) -> int | None:
    """The pid of a life's master, unless the master logged its own end."""
    return None if _PARTING.search(life) else master_in(life)


def ends_unspoken(life: str) -> bool:
    """Whether uWSGI started, and logged neither a master nor an end."""
    begun = starts_in(life) or launched_in(life)
    return begun and master_in(life) is None and not _PARTING.search(life)


def starts_in(log: str) -> bool:
    """Whether a log contains a start of uWSGI."""
    return "*** Starting uWSGI " in log


def launched_in(log: str) -> bool:
    """Whether the last start in a log left nothing to the Emperor's: `templates/launch` saw to it.

    That of version 0.1.0 did not.
    """
    return _LAUNCHED.search(log) is not None


def spawned_in(log: str) -> set[int]:
    """The pids of the uWSGI processes that a log reports as spawned."""
    return {int(match["pid"]) for match in _SPAWNED.finditer(log)}


def unknown_option(life: str) -> str:
    """The option that uWSGI rejected in strict mode; '' if none."""
    return _named(_OPTION, life)


def missing_file(life: str) -> str:
    """The configuration file that uWSGI did not find, as it was named; '' if none."""
    return _named(_NO_FILE, life)


def taken_address(life: str) -> str:
    """The address that uWSGI could not bind because it was in use; '' if the log names none."""
    return _named(_TAKEN, life)


def told_by_emperor(log: str, vassal: str, included: Collection[str] = ()) -> str:
    """The lines of the Emperor's log that certainly belong to the last start of `vassal`.

    `vassal` is a file name (`blog.ini`). All vassals write to that log at once, so the excerpt ends
    where another vassal starts, is ready or is given up. `included` are the files that this one
    includes, as named there. '' if `templates/launch` has sent what the vassal says elsewhere.
    """
    lines = log.splitlines()
    start = -1
    for at, line in enumerate(lines):
        if _begins(line, vassal):
            if _LAUNCHED.match(line):
                return ""
            start = at
    if start < 0:
        return ""
    mine = []
    for line in lines[start + 1 :]:
        if _is_strangers(line, vassal, included) or f"removed uwsgi instance {vassal}" in line:
            break
        if "[emperor]" not in line:
            mine.append(line)
    return "\n".join(mine)


def refused_in(log: str, vassal: str) -> str:
    """Why `templates/launch` did not start this vassal the last time; '' if it did."""
    refused = ""
    for line in log.splitlines():
        if _begins(line, vassal):
            refused = ""
        elif line.startswith(f"{vassal}: not started, "):
            refused = line.partition(": ")[2]
    return refused


def unread_by(program: str, log: str, vassal: str) -> str:
    """Why the last start of this vassal ended before uWSGI read its file; '' if it read it.

    Then the system could not execute `program`: `templates/launch` or the dynamic loader says why.
    """
    read, said, why = False, "", ""
    for line in log.splitlines():
        if _CONFIGURED.search(line) or _LAUNCHED.match(line):
            read |= _begins(line, vassal)
        elif not_executed := _not_executed(program, line):
            said = not_executed
        elif (match := _CURSED.search(line)) and match["file"] == vassal:
            read, said, why = False, "", "" if read else said
    return why


def unread_in(program: str, log: str) -> str:
    """Like `unread_by`, from the log of an Act that `templates/launch` has written its start to."""
    life = last_life(log)
    if not launched_in(life) or _CONFIGURED.search(life):
        return ""
    said = [_not_executed(program, line) for line in life.splitlines()]
    return next(filter(None, reversed(said)), "")


def dead_while_loading(log: str, master: int) -> list[int]:
    """The pids that one worker of this master had since the application was last loaded, in order.

    Each of them died; of several workers, it is the one that died most often. `log` may be the end
    of a log that does not reach back to the start of the master.
    """
    life = last_life(log)
    lines = life.splitlines()
    if master_in(life) not in {None, master}:
        return []
    loaded = _last(_READY, lines)
    survived = loaded > _last(_NOT_LOADED, lines)
    dead: dict[str, list[int]] = {}
    for line in lines[loaded + 1 if survived else 0 :]:
        if match := _DEATH.search(line):
            dead.setdefault(match["who"], []).append(int(match["pid"]))
    return max(dead.values(), key=len, default=[])


def given_up(log: str, vassal: str) -> int | None:
    """The pid of the last start of this vassal, if the Emperor has given it up since."""
    pid = None
    for line in log.splitlines():
        if _begins(line, vassal):
            pid = None
        elif (match := _CURSED.search(line)) and match["file"] == vassal:
            pid = int(match["pid"])
    return pid


def cursed_in(log: str, vassal: str) -> set[int]:
    """The pids of this vassal's instances that the Emperor gave up, according to its log."""
    return {int(match["pid"]) for match in _CURSED.finditer(log) if match["file"] == vassal}


def _begins(line: str, vassal: str) -> bool:
    """Whether a line of the Emperor's log tells that a start of this vassal has begun."""
    match = _LAUNCHED.match(line) or _CONFIGURED.search(line)
    return match is not None and match["file"].strip() == vassal


def _not_executed(program: str, line: str) -> str:
    """Why `program` could not be executed, if a line tells it."""
    if line.startswith(f"{program}: "):
        return line
    if "/templates/launch: " in line and f" {program}: " in line:
        return line[line.index(f" {program}: ") + 1 :]
    return ""


def _is_strangers(line: str, vassal: str, included: Collection[str]) -> bool:
    if _LAUNCHED.match(line):
        return True
    if match := _CONFIGURED.search(line):
        file = match["file"].strip()
        # The Emperor names its vassals without a directory; included files mostly have one.
        return file.endswith("emperor.ini") or ("/" not in file and file not in included)
    fate = _FATE.search(line)
    return fate is not None and fate["vassal"] != vassal


def _exception(lines: list[str]) -> str:
    bare = _bare(lines)
    for index in range(len(bare) - 1, -1, -1):
        line = bare[index]
        # Several workers write at the same time, so that uWSGI's line may end another's traceback.
        if not line or line[0].isspace() or _NOT_LOADED.search(line):
            continue
        place = _place(bare[:index], line)
        # A line after frames is an exception; without frames, only its name tells.
        if place or _NAMED_ERROR.match(line):
            return line.strip() + place
    return ""


def _place(lines: list[str], error: str) -> str:
    """Where to look for the cause, if a traceback ends here."""
    frames = _frames(lines)
    if not frames:
        return ""
    callers = [frame for frame in frames if not _IMPORTING.search(frame.file)]
    own = [frame for frame in callers if not frame.is_library and not frame.is_entry]
    if _SYNTAX.match(error):
        blamed = frames[0]
    elif callers and _APP_LIST.search(callers[0].file):
        return " (named in INSTALLED_APPS)"
    else:
        blamed = [*own, *callers, *frames][0]
    return f" ({blamed.file}, line {blamed.line})"


def _frames(lines: list[str]) -> list[_Frame]:
    """The frames of the traceback that ends here, innermost first."""
    frames = []
    source = ""
    for line in reversed(lines):
        if not line or not line[0].isspace():
            break
        if match := _FRAME.match(line):
            frames.append(_Frame(match["file"], match["line"], source))
        source = line
    return frames


def _complaint(lines: list[str]) -> str:
    bare = [line for line in _bare(lines) if not _CLEANING_UP.match(line)]
    for complaint in _COMPLAINTS:
        for line in reversed(bare):
            if match := complaint.search(line):
                return _C_SOURCE.sub("", match["what"].strip())
    return ""


def _names_one_of(pids: Collection[int], line: str) -> bool:
    return any(int(match["pid"]) in pids for match in _PID.finditer(line))


def _overdue(lines: list[str], pid: str) -> str:
    """The request for which uWSGI killed this worker; '' if it did not kill it."""
    at = max((n for n, line in enumerate(lines) if _is_overdue(line, pid)), default=len(lines))
    requests = [match for line in lines[at:] if (match := _OVERDUE_REQUEST.search(line))]
    return requests[0]["request"] if requests else ""


def _is_overdue(line: str, pid: str) -> bool:
    match = _OVERDUE.search(line)
    return match is not None and match["pid"] == pid


def _last_words(lines: list[str], death: str) -> str:
    """The last output of a worker, if it died before its application had loaded."""
    since = lines[_last(_SPAWNED, lines) + 1 :]
    if _last(_READY, since) >= 0:
        return ""
    # If uWSGI's own lines are timestamped, a line without a timestamp is the application's.
    own = [line for line in since if _TIME.match(death) and not _TIME.match(line) and line.strip()]
    return _exception(since) or (own[-1].strip() if own else "")


def _bare(lines: list[str]) -> list[str]:
    return [_TIME.sub("", line) for line in lines]


def _last(pattern: re.Pattern[str], lines: list[str]) -> int:
    """The index of the last line that contains the pattern; -1 if none does."""
    return max((at for at, line in enumerate(lines) if pattern.search(line)), default=-1)


def _named(pattern: re.Pattern[str], log: str) -> str:
    matches = list(pattern.finditer(log))
    return matches[-1]["name"].strip() if matches else ""
