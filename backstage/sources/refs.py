"""The branches, tags and commits of a repository, as it tells them itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

HEAD = "HEAD"
_LINE = re.compile(
    r"(?P<commit>[0-9a-f]{40}|[0-9a-f]{64})\t(?P<name>HEAD|refs/[^\s\0-\x20\x7f]+)\Z"
)
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
_FULL = (40, 64)
_SPACES = ("refs/tags/", "refs/heads/")
# As many names are told where none is similar.
_TOLD = 8


def advertised(output: str) -> dict[str, str]:
    """The commits, by full names of refs, that `git ls-remote` printed; of tags what they tag."""
    found = [each for line in output.splitlines() if (each := _LINE.match(line))]
    plain = {each["name"]: each["commit"] for each in found if not each["name"].endswith("^{}")}
    peeled = {each["name"][:-3]: each["commit"] for each in found if each["name"].endswith("^{}")}
    return {**plain, **peeled}


def meant(ref: str, refs: Mapping[str, str]) -> tuple[str, ...]:
    """The full names that a ref can mean: none, one, or a tag and a branch."""
    is_full = ref.startswith("refs/") or ref == HEAD
    candidates = [ref] if is_full else [space + ref for space in _SPACES]
    return tuple(each for each in candidates if each in refs)


def is_whole_commit(ref: str) -> bool:
    """Whether a text can only be the whole name of a commit."""
    return bool(_COMMIT.match(ref)) and len(ref) in _FULL


def is_commit(ref: str) -> bool:
    """Whether a text may be the beginning of a commit's name."""
    return bool(_COMMIT.match(ref))


def begins(ref: str, refs: Mapping[str, str]) -> str:
    """The ref at the commit that begins with a text; '' if there is none, or two commits."""
    found = {commit: name for name, commit in refs.items() if commit.startswith(ref)}
    return next(iter(found.values())) if len(found) == 1 else ""


def short(name: str) -> str:
    """The name of a branch or a tag as people write it."""
    return next((name.removeprefix(each) for each in _SPACES if name.startswith(each)), name)


def similar(ref: str, refs: Mapping[str, str]) -> str:
    """What to say about a ref that is not there: names like it, or some that are there."""
    names = sorted({short(name) for name in refs if name.startswith(_SPACES)})
    by_case = {name.lower(): name for name in names}
    wanted = short(ref).removeprefix("origin/").lower()
    alike = [by_case[each] for each in get_close_matches(wanted, by_case, n=3)]
    alike += [name for name in names if wanted in name.lower() and name not in alike]
    if alike:
        return f"did you mean {' or '.join(alike[:3])}?"
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"it has {', '.join(names[:_TOLD])}{more}" if names else "it has none at all"
