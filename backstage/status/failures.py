"""Explains from the evidence why an Act does not run: pure functions, one line each."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ..uwsgi import dry_run, log_reasons
from ..uwsgi.includes import INCLUDES
from ..uwsgi.ini import Address
from ..uwsgi.log_reasons import Death
from .evidence import Evidence, PortHolder

_PROJECT = re.compile(r"/acts/(?P<name>\w+)/")


def why_failing(evidence: Evidence, address: Address | None) -> str:
    """One line: why the Act does not run, from its log, the Emperor's log and its port's holder.

    Only lines logged since its last start count; '' if unknown. What its configuration names and
    is not there comes first, as logs may be older.
    """
    if evidence.missing:
        return str(evidence.missing)
    if unread := evidence.unread:
        return unread
    if refused := log_reasons.refused_in(evidence.emperors, evidence.vassal):
        return refused
    own = _last_life(evidence)
    started = evidence.started
    # A vassal whose start is in the Emperor's log has no log of its own.
    life = started if log_reasons.starts_in(started) and _is_ours(evidence) else own
    return (
        _misconfigured(evidence, started)
        or _misconfigured(evidence, life)
        or _endless(evidence)
        or _explained(evidence, life, address)
        or (_usurper(evidence, address) if address else "")
        or _silent_end(evidence, own)
    )


def why_no_workers(evidence: Evidence) -> str:
    """One line: why the Act's uWSGI starts no worker."""
    line = evidence.script.last(*dry_run.WORKERS)
    return str(line.blame(dry_run.NO_WORKERS)) if line else dry_run.NO_WORKERS


def why_ended(evidence: Evidence, pids: Iterable[int]) -> str:
    """One line: why these processes of the Act ended; '' if unknown.

    For example: 'worker 1 (pid 812) was killed by signal 9 (out of memory)'.
    """
    ended = set(pids)
    life = log_reasons.life_of(evidence.own, ended)
    deaths = log_reasons.deaths_in(f"{evidence.emperors}\n{evidence.own}", ended)
    told = {death.pid: _worded(evidence, death) for death in deaths}
    causes = [*_masters_end(evidence, life, ended), *(told[pid] for pid in sorted(told))]
    if causes:
        return "; ".join(causes)
    if life:
        return log_reasons.trouble_in(life, lambda _: "")
    if ended & log_reasons.cursed_in(evidence.emperors, evidence.vassal):
        return why_failing(evidence, None)
    return ""


def _explained(evidence: Evidence, life: str, address: Address | None) -> str:
    why = log_reasons.trouble_in(life, lambda death: _worded(evidence, death))
    if "Address already in use" not in why:
        return why
    host, _, port = log_reasons.taken_address(life).rpartition(":")
    if port.isdigit():
        return _lost_port(evidence, int(port), host.strip("[]") or "0.0.0.0")
    return _lost_port(evidence, address.port, address.bound_host) if address else why


def _worded(evidence: Evidence, death: Death) -> str:
    who = f"{death.who} (pid {death.pid})"
    if not death.signal:
        return f"{who} ended by itself" + (f", saying: {death.words}" if death.words else "")
    about = f" ({cause})" if (cause := _cause(evidence, death)) else ""
    return f"{who} was killed by signal {death.signal}{about}"


def _cause(evidence: Evidence, death: Death) -> str:
    if death.request:
        return f"harakiri: {death.request} took too long"
    if death.signal != signal.SIGKILL:
        return (signal.strsignal(death.signal) or "").lower()
    return "out of memory" if death.pid in evidence.kernel.killed_for_memory else ""


def _last_life(evidence: Evidence) -> str:
    """What the Act's own log says of its last start; '' if it only tells of earlier ones."""
    life = log_reasons.last_life(evidence.own)
    ended, master = _given_up(evidence), log_reasons.master_in(life)
    return "" if ended and master and ended != master else life


def _given_up(evidence: Evidence) -> int | None:
    return log_reasons.given_up(evidence.emperors, evidence.vassal)


def _silent_end(evidence: Evidence, own: str) -> str:
    """The end of a uWSGI that could not log why."""
    master = log_reasons.silent_master(own)
    if told := "; ".join(_masters_end(evidence, own, {master} if master else set())):
        return told
    ended = _given_up(evidence)
    is_silent = log_reasons.ends_unspoken(own) or (not own and evidence.logs_itself)
    if ended and is_silent and not log_reasons.reason_from(evidence.started):
        return f"uWSGI (pid {ended}) ended without a word while it started"
    return ""


def _masters_end(evidence: Evidence, life: str, ended: Collection[int]) -> Iterator[str]:
    pid = log_reasons.silent_master(life)
    if pid not in ended or pid is None or evidence.kernel.is_alive(pid):
        return
    # Only signal 9 gives a master no time to log anything.
    if not log_reasons.trouble_in(life, lambda _: ""):
        about = " (out of memory)" if pid in evidence.kernel.killed_for_memory else ""
        yield f"the master (pid {pid}) was killed{about}"


def _lost_port(evidence: Evidence, port: int, host: str) -> str:
    """Who holds the port that the Act could not bind, or that it was taken then."""
    holder = evidence.kernel.holder(port, host)
    if holder is None:
        return f"port {port} was taken by another program"
    if _is_member(evidence, holder):
        return f"port {port} was still in use by an earlier run of the Act"
    return f"port {port} is taken by {_named(evidence, holder)}"


def _usurper(evidence: Evidence, address: Address) -> str:
    """Who else holds the port, if that is certain."""
    holder = evidence.kernel.holder(address.port, address.bound_host)
    if holder is None or holder.pid is None or _is_member(evidence, holder):
        return ""
    return f"port {address.port} is taken by {_named(evidence, holder)}"


def _named(evidence: Evidence, holder: PortHolder) -> str:
    if not holder.owner:
        return holder.name
    return f"{holder.owner.seen_from(evidence.act_paths.venue.top)} (pid {holder.pid})"


def _is_member(evidence: Evidence, holder: PortHolder) -> bool:
    """Whether a process belongs to the Act, by its logs, working directory and command."""
    if holder.owner:
        return holder.owner.is_act(evidence.act_paths)
    if holder.pid in evidence.spawned:
        return True
    act_paths, command = evidence.act_paths, holder.command.rstrip("\0")
    # uWSGI may have renamed itself; then only the working directory identifies it.
    renamed = command.startswith("uWSGI ") and holder.place.is_relative_to(act_paths.top)
    as_called = command.endswith(f"\0{evidence.vassal}")
    return renamed or (as_called and holder.place.is_relative_to(act_paths.venue.top))


def _is_ours(evidence: Evidence) -> bool:
    """Whether no line in this part of the Emperor's log names another Act."""
    started, script = evidence.started, evidence.script
    written = "\n".join(script.value(line) for line in script.lines)
    port = log_reasons.taken_address(started).rpartition(":")[2]
    names = {match["name"] for match in _PROJECT.finditer(started)}
    others = names - {evidence.act_paths.name}
    dead = {death.pid for death in log_reasons.deaths_in(started)}
    return (
        (not port or f":{port}" in written)
        and all(f"acts/{name}" in written for name in others)
        and dead <= log_reasons.spawned_in(started)
    )


def _endless(evidence: Evidence) -> str:
    """The line by which an ini file includes itself; uWSGI reads on until it crashes."""
    line = next((line for line in evidence.script.lines if line.circular), None)
    return str(line.blame(line.unread)) if line else ""


def _misconfigured(evidence: Evidence, life: str) -> str:
    """The line of an ini file that uWSGI rejected; '' if it is not in this Act's files."""
    if option := log_reasons.unknown_option(life):
        what = f"unknown option '{option}'"
        wrong = evidence.script.all(option)
    elif file := log_reasons.missing_file(life):
        what = f"there is no file {file}"
        including = evidence.script.all(*INCLUDES)
        wrong = [line for line in including if line.value.endswith(Path(file).name)]
    else:
        return ""
    return str(wrong[0].blame(what)) if wrong else ""
