"""Commands in messages: whatever a path or a name is, they can be pasted into a shell."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backstage
from backstage.facts.command_line import join, quote

SOURCES = sorted(
    path for path in Path(backstage.__file__).parent.rglob("*.py") if "scaffolds" not in path.parts
)
# Modules that quote for something else than a message: a file that `sh` reads, one of ours, nginx.
OTHERS = {"uwsgi/launch.py", "nginx/site.py", "cli/commands/edit.py"}
# What begins a command, up to the end of a text in which a value follows.
COMMAND = re.compile(
    r"(?:^|[`(]|type: |with: |Type: |Next: |see: |&& |, then |\| )"
    r"(?:sudo (?:-u )?)?(?:backstage(?! observer)|chmod|chown|cd|mkdir|ls|rm|mv|cp|ln|kill|runuser|"
    r"loginctl|adduser|certbot|systemctl|du|df|apt|pip)\b(?: [^;,:()]*)? $"
)
# What may stand in a command as it is: what was quoted before, numbers, and words of our own.
SAFE = re.compile(
    r"(?:quote|join|command|_user_for|root_command|command_for)\(|\bpids?\b|geteuid\(\)|"
    r"^(?:verb|action|what|_COMMAND|names|places|reload|command|certbot|name|file|restart|change|package|"
    r"subject|_PLACES_NAMED|uninstall|line|first|bind)$"
)


def values(path: Path) -> Iterator[tuple[int, str]]:
    """The values that commands in the messages of a module contain, with their lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for piece in node.values:
            if isinstance(piece, ast.Constant):
                before += str(piece.value)
            elif isinstance(piece, ast.FormattedValue):
                if COMMAND.search(before):
                    yield piece.lineno, ast.unparse(piece.value)
                before += "x"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_value_stands_in_a_command_as_it_is(path: Path) -> None:
    bare = [f"line {line}: {value}" for line, value in values(path) if not SAFE.search(value)]
    assert not bare, path


def test_there_is_one_way_to_quote() -> None:
    """The others write what is no command in a message."""
    top = Path(backstage.__file__).parent
    found = {
        str(path.relative_to(top))
        for path in SOURCES
        if re.search(
            r"shlex(?:\.(?:quote|join)| import)|^import shlex", path.read_text(), re.MULTILINE
        )
    }
    assert found == {*OTHERS, "facts/command_line.py"}


@given(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_a_shell_reads_the_words_that_were_written(words: list[str]) -> None:
    words = [os.fsdecode(os.fsencode(word.encode(errors="ignore").decode())) for word in words]
    shown = join(["printf", r"%s\0", *words])
    assert "\n" not in shown
    assert "\x1b" not in shown
    told = subprocess.run(["bash", "-c", shown], capture_output=True, check=True).stdout
    assert told == b"".join(os.fsencode(word) + b"\0" for word in words)


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("/srv/shows", "/srv/shows"),
        ("/srv/My Venue", "'/srv/My Venue'"),
        ("it's", "'it'\"'\"'s'"),
        ("a\nb's", r"$'a\012b\'s'"),
        ("\u202eab", r"$'\342\200\256ab'"),
        (os.fsdecode(b"a\xff"), r"$'a\377'"),
        (Path("/a;b"), "'/a;b'"),
    ],
)
def test_what_is_seen_is_what_is_run(word: object, quoted: str) -> None:
    """Words that a terminal would not show as they are, are written byte by byte."""
    assert quote(word) == quoted
