"""Fetch one commit of a git repository, with its submodules and its large files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import SourceRefused
from ..facts.command_line import join
from ..facts.invisible import visible
from . import refs, tree
from .fetched import Fetched
from .git import Git, GitFailed
from .source import Source

_SUBMODULE = re.compile(r"160000 [0-9a-f]+ \d\t(?P<path>.*)", re.DOTALL)
# The name that the fetched commit gets.
_WANTED = "refs/backstage/wanted"
_LFS_FILTERS = (
    *("filter.lfs.process=git-lfs filter-process", "filter.lfs.smudge=git-lfs smudge -- %f"),
    *("filter.lfs.clean=git-lfs clean -- %f", "filter.lfs.required=true"),
)
# Large files are fetched by a call of their own, which can say what is missing.
_LFS_LATER = ("filter.lfs.process=", "filter.lfs.smudge=", "filter.lfs.required=false")
_LFS_MISSING = "is not a git command"
_REFUSALS = ("not our ref", "unadvertised object", "no such remote ref")
# What git prints, and what helps; in its own words, since it has no codes for them.
_HINTS = (
    ("Host key verification failed", "ssh does not know that host yet; type: {ssh}"),
    ("Permission denied (", "the server does not accept this user's ssh key"),
    ("could not read Username", "it needs a login, and git's credential helpers have none for it"),
    ("could not read Password", "it needs a password, and git's credential helpers have none"),
    ("Authentication failed", "the server does not accept the login"),
    ("dubious ownership", "it belongs to another user, so git does not read it"),
    ("Could not resolve host", "there is no such host, or no network"),
    ("not found", "there is no repository at that place, or this user may not see it"),
)


def fetch(source: Source, top: Path) -> Fetched:
    """Put the tree of a commit into an empty directory. Raises SourceRefused."""
    git = Git(top, source.login)
    try:
        git("init", "--quiet", "--template=")
        git("remote", "add", "origin", source.location)
        name = _fetched(git, source)
        git("checkout", "--quiet", "--detach", f"{_WANTED}^{{commit}}", settings=_LFS_LATER)
        commit = git("rev-parse", "HEAD").strip()
    except GitFailed as error:
        raise _refused(source, "git cannot fetch it", error) from error
    _fetch_submodules(git, source)
    _fetch_large_files(git, source)
    tree.forget_git(top)
    ref = f" {refs.short(name)}" if refs.short(name) not in {refs.HEAD, commit} else ""
    return Fetched(f"{source.location}{ref} at {commit[:7]}", commit)


def describe(directory: Path) -> Fetched | None:
    """The commit of the repository that a directory is a part of; None if there is none.

    It is dirty with any difference, of new files too: they are part of what is copied.
    """
    git = Git(directory)
    try:
        if not git("ls-files", "-z", "--", ".").strip("\0"):
            return None
        changes = git("status", "--porcelain", "-z", "--no-renames", "--", ".").split("\0")
        commit = _head(git)
    except (GitFailed, SourceRefused):
        return None
    changed = [change[3:] for change in changes if change]
    notes = (_told(changed, "not as in the commit"),) if changed else ()
    return Fetched(f"at {commit[:7]}" if commit else "", commit, bool(changed), notes)


def missing_submodules(directory: Path) -> list[str]:
    """The submodules of a directory, by their paths in it, that have not been checked out."""
    if not (directory / ".gitmodules").is_file():
        return []
    try:
        found = _submodules(Git(directory))
    except (GitFailed, SourceRefused):
        return []
    return [each for each in found if not _has_files(directory / each)]


def _told(names: list[str], what: str) -> str:
    shown = ", ".join(map(visible, names[:3]))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {shown}{more}"


def _head(git: Git) -> str:
    try:
        return git("rev-parse", "--verify", "--quiet", "HEAD").strip()
    except GitFailed:
        return ""


def _has_files(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def _fetched(git: Git, source: Source) -> str:
    """Fetch what the ref of a source means; returns its full name."""
    known = refs.advertised(git("ls-remote", "--quiet", "origin"))
    if not known:
        raise SourceRefused(source.location, "the repository is empty")
    name = _name(source, known)
    if not name:
        return _searched(git, source, known)
    command = ("fetch", "--quiet", "--no-tags", "origin", f"{name}:{_WANTED}")
    try:
        git(*command, "--depth=1")
    except GitFailed as error:
        if refs.is_whole_commit(name) and _is_refusal(error):
            return _searched(git, source, known)
        # Not every server can send a part of the history.
        git(*command)
    return name


def _name(source: Source, known: Mapping[str, str]) -> str:
    """The name to fetch a ref by; '' for the beginning of a commit that no ref is at."""
    wanted = source.ref or refs.HEAD
    found = refs.meant(wanted, known)
    if len(found) == 1:
        return found[0]
    if found:
        why = f"{wanted!r} is a tag and a branch; give {' or '.join(found)}"
        raise SourceRefused(source.location, why)
    if refs.is_whole_commit(wanted):
        return wanted
    if refs.is_commit(wanted):
        return refs.begins(wanted, known)
    raise _no_such_ref(source, known)


def _no_such_ref(source: Source, known: Mapping[str, str]) -> SourceRefused:
    hint = refs.similar(source.ref, known)
    if not source.ref:
        return SourceRefused(source.location, f"its HEAD names no branch; give a ref: {hint}")
    return SourceRefused(source.location, f"it has no branch, tag or commit {source.ref!r}; {hint}")


def _is_refusal(error: GitFailed) -> bool:
    """Whether a server did not want to send a commit by its name."""
    return any(each in error.output for each in _REFUSALS)


def _searched(git: Git, source: Source, known: Mapping[str, str]) -> str:
    """Fetch everything, because only so can a commit be found; returns its whole name."""
    spaces = [f"+refs/{each}/*:refs/all/{each}/*" for each in ("heads", "tags")]
    git("fetch", "--quiet", "origin", *spaces)
    try:
        commit = git("rev-parse", "--verify", f"{source.ref}^{{commit}}").strip()
    except GitFailed as error:
        raise _no_such_ref(source, known) from error
    git("update-ref", _WANTED, commit)
    return commit


def _submodules(git: Git) -> list[str]:
    listed = git("ls-files", "--stage", "-z").split("\0")
    return [found["path"] for line in listed if (found := _SUBMODULE.match(line))]


def _fetch_submodules(git: Git, source: Source) -> None:
    try:
        wanted = _submodules(git)
        if wanted:
            _update_submodules(git)
    except GitFailed as error:
        told = _told(wanted, "its submodules cannot be fetched")
        raise _refused(source, told, error, _by_hand(source, "--recurse-submodules")) from error


def _update_submodules(git: Git) -> None:
    command = ("submodule", "--quiet", "update", "--init", "--recursive")
    try:
        git(*command, "--depth=1", settings=_LFS_LATER)
    except GitFailed:
        git(*command, "--force", settings=_LFS_LATER)


def _fetch_large_files(git: Git, source: Source) -> None:
    if not tree.pointers(git.top):
        return
    try:
        git("lfs", "install", "--local", "--skip-repo", settings=_LFS_FILTERS)
        git("lfs", "pull", "origin", settings=_LFS_FILTERS)
    except GitFailed as error:
        raise _without_large_files(git, source, error) from error
    if left := tree.pointers(git.top):
        told = _told(left, "some of its large files (Git LFS) are not there")
        raise SourceRefused(source.location, told)


def _without_large_files(git: Git, source: Source, error: GitFailed) -> SourceRefused:
    told = _told(tree.pointers(git.top), "its large files (Git LFS) cannot be fetched")
    if _LFS_MISSING in error.output:
        install = join(["apt", "install", "git-lfs"])
        return SourceRefused(source.location, f"{told}; git-lfs is not installed; type: {install}")
    return _refused(source, told, error)


def _by_hand(source: Source, *options: str) -> str:
    clone = join(["git", "clone", *options, source.location, "code"])
    return f"to fetch it by hand and give the directory `code` instead, type: {clone}"


def _refused(source: Source, told: str, error: GitFailed, advice: str = "") -> SourceRefused:
    hints = (hint for sign, hint in _HINTS if sign in error.output)
    host = source.location.rpartition("@")[2].partition(":")[0]
    hint = next(hints, "").format(ssh=join(["ssh", host, "true"]))
    look = join(["git", "ls-remote", source.location])
    what = [told, hint, advice or f"to see what git says, type: {look}"]
    return SourceRefused(source.location, "; ".join(filter(None, what)), visible(error.output))
