"""What stands in a .env is what Django sees: judged by the real django-environ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstage.layout.shipped_files import shelf
from backstage.projects.dotenv import MASK, DotEnv, fault

KEYS = st.sampled_from(["A", "B", "SECRET_KEY", "a", "_", "9X", "DATABASE_URL"])
# What quoting, comments, escapes and ends of lines are made of comes often.
VALUES = st.text(st.sampled_from("'\"\\#$ \tnrtab=é\u00a0") | st.characters(codec="utf-8"))
LINES = st.one_of(
    st.builds("{}={}".format, KEYS, VALUES),
    st.builds("export {}={}".format, KEYS, VALUES),
    st.text(st.sampled_from("# =AB'\"\\\ufeffé")),
    st.sampled_from(["", "# A=1", " A=1", "A =1", "export  A=1", "A", "=1", "export A"]),
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\x0c", "\u2028"])
TEXTS = st.builds(
    lambda lines, last: "".join(f"{line}{end}" for line, end in lines) + last,
    st.lists(st.tuples(LINES, ENDS), max_size=6),
    LINES,
)

ours = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def seen(path: Path, text: str, *, parse_comments: bool = False) -> dict[str, str]:
    """What the settings of an Act find in their environment, when the .env has this text."""

    class Env(environ.Env):  # type: ignore[misc]
        ENVIRON: dict[str, str] = {}  # noqa: RUF012

    file = path / ".env"
    file.write_bytes(text.encode())
    Env.read_env(file, parse_comments=parse_comments)
    return dict(Env.ENVIRON)


@ours
@given(TEXTS)
def test_it_is_read_as_django_reads_it(tmp_path: Path, text: str) -> None:
    assert DotEnv(text).values == seen(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A= 1 ", " 1 "),
        ("A=1 # one", "1 # one"),
        ("A='1'", "1"),
        ("A='it's'", "it's"),
        ("A='1' # one", "'1' # one"),
        (r"A='\n \" \\'", r"\n \" \\"),
        (r'A="\n \r \t \" \\ \a"', r'\n \r \t " \ a'),
        ("A='\"1\"'", "1"),
        ("A=1\nexport A=2", "2"),
        ("A=1\n A=2\nA =3\n#A=4\nexport  A=5\nÄ=6", "1"),
        ("A=1\x0c2", "1"),
    ],
)
def test_quotes_escapes_and_spaces_are_read_as_django_reads_them(
    tmp_path: Path, line: str, value: str
) -> None:
    assert DotEnv(line).values == seen(tmp_path, line) == {"A": value}


@ours
@given(TEXTS, st.dictionaries(KEYS, VALUES))
def test_what_is_set_is_what_django_sees(
    tmp_path: Path, text: str, changes: dict[str, str]
) -> None:
    changes = {key: value for key, value in changes.items() if not fault(key, value)}
    changed = DotEnv(text).changed(changes)
    assert seen(tmp_path, changed.text) == {**seen(tmp_path, text), **changes}


@ours
@given(st.dictionaries(KEYS, VALUES))
def test_what_is_set_is_seen_by_those_who_cut_off_comments_too(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    changes = {key: value for key, value in changes.items() if not fault(key, value)}
    assert seen(tmp_path, DotEnv("").changed(changes).text, parse_comments=True) == changes


@ours
@given(TEXTS, st.sets(KEYS))
def test_what_is_unset_is_gone_and_nothing_else(tmp_path: Path, text: str, keys: set[str]) -> None:
    left = seen(tmp_path, DotEnv(text).changed(dict.fromkeys(keys)).text)
    assert left == {key: value for key, value in seen(tmp_path, text).items() if key not in keys}


@ours
@given(TEXTS, KEYS, VALUES)
def test_all_other_lines_stay_in_their_order(text: str, key: str, value: str) -> None:
    """Only one line is replaced, or one is added at the end."""
    if fault(key, value):
        return
    before = text.splitlines(keepends=True)
    after = DotEnv(text).changed({key: value}).text.splitlines(keepends=True)
    if len(after) == len(before):
        assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1
    else:
        assert "".join(after[:-1]).rstrip("\r\n") == text.rstrip("\r\n")


@ours
@given(TEXTS)
def test_setting_what_is_so_changes_nothing(text: str) -> None:
    file = DotEnv(text)
    assert file.changed(file.values) == file


@ours
@given(st.text())
def test_what_cannot_be_kept_in_one_line_is_refused(value: str) -> None:
    has_break = len(f"{value}.".splitlines()) > 1
    assert bool(fault("A", value)) == (has_break or "\0" in value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("on", "on"),
        ("", ""),
        ("two words", "two words"),
        ("it's", "it's"),
        ('say "hi"', 'say "hi"'),
        (r"C:\new", r"C:\new"),
        (" padded ", '" padded "'),
        ('"quoted"', r'"\"quoted\""'),
        ("'quoted'", "\"'quoted'\""),
        (r" C:\new", r'" C:\\new"'),
        ("a#b", "'a#b'"),
        ('"a#b"', '\'"\\"a#b\\""\''),
    ],
)
def test_values_are_quoted_where_they_have_to_be(value: str, written: str) -> None:
    assert DotEnv("").changed({"A": value}).text == f"A={written}\n"


def test_a_file_keeps_its_face() -> None:
    before = "\ufeff# ours\r\nexport A=1\r\nB = 2\r\n\r\nA='old'\r\n#C=3\r\nD=4"
    after = DotEnv(before).changed({"A": "new", "C": "5", "D": "6", "E": "7"})
    assert after.text == (
        "\ufeff# ours\r\nexport A=1\r\nB = 2\r\n\r\nA=new\r\n#C=3\r\nD=6\r\nC=5\r\nE=7\r\n"
    )
    assert DotEnv("export A=1\n").changed({"A": "2"}).text == "export A=2\n"
    assert DotEnv(before).changed({"A": None}).text == ("\ufeff# ours\r\nB = 2\r\n\r\n#C=3\r\nD=4")


def test_lines_that_django_does_not_read_are_known() -> None:
    assert DotEnv("# A=1\n\nA = 1\nB=2\n C=3\nexport D\n").unread == (3, 5, 6)


@pytest.mark.parametrize("key", ["", "A B", "A=", "A\n", "A-B", "Ä", "export A", "A.B", "#A"])
def test_names_that_django_would_not_read_are_refused(key: str) -> None:
    assert "cannot be a name" in fault(key, "1")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a\nDEBUG=on", "line break; write it as \\n, and read it with env.str('A', multiline"),
        ("\n", "line break"),
        ("a\r", "line break"),
        ("a\u2028b", "line break"),
        ("a\0b", "zero byte"),
        ("a\udcffb", "not UTF-8"),
    ],
)
def test_values_that_would_become_something_else_are_refused(value: str, told: str) -> None:
    assert told in fault("A", value)


def test_the_advice_for_line_breaks_works(tmp_path: Path) -> None:
    env = environ.Env()
    env.ENVIRON = seen(tmp_path, DotEnv("").changed({"A": r"one\ntwo"}).text)
    assert env.str("A", multiline=True) == "one\ntwo"


@pytest.mark.parametrize(
    ("text", "dangles"),
    [
        ("A=$B\nB=1", False),
        ("A=$$B\nB=1", False),
        ("A=$B\nB=$C\nC=1", False),
        ("A=a$B", False),
        ("A=\\$B", False),
        ("A=$B", True),
        ("A=$", True),
        ("A=$B\nB=$C", True),
        ("A=$A", True),
        ("A=$B\nB=$A", True),
    ],
)
def test_a_dollar_in_front_names_another_variable(tmp_path: Path, text: str, dangles: bool) -> None:
    assert bool(DotEnv(text).dangling("A")) == dangles
    env = environ.Env()
    env.ENVIRON = seen(tmp_path, text)
    if dangles:
        with pytest.raises((ImproperlyConfigured, RecursionError)):
            env("A")
    else:
        assert env("A")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("DEBUG=on", "on"),
        ("SECRET_KEY=abc", MASK),
        ("SECRET_KEY=", ""),
        ("SECRET_KEY=$OLD", "$OLD"),
        ("SECRET_KEY=$ecret", MASK),
        ("secret_key_fallbacks=a,b", MASK),
        ("EMAIL_HOST_PASSWORD=abc", MASK),
        ("GITHUB_TOKEN=abc", MASK),
        ("AWS_ACCESS_KEY_ID=abc", MASK),
        ("SENTRY_DSN=https://abc@sentry.io/1", MASK),
        ("DATABASE_URL=sqlite:///db.sqlite3", "sqlite:///db.sqlite3"),
        ("DATABASE_URL=postgres://me:abc@host:5432/db", f"postgres://me:{MASK}@host:5432/db"),
        ("DATABASE_URL=postgres://me:a@b/c#d@host/db", f"postgres://me:{MASK}@host/db"),
        ("DATABASE_URL=postgres://host/db?password=abc&x=1", f"postgres://host/db?password={MASK}&x=1"),
        ("EMAIL_URL=smtp+tls://me:abc@mail:587", f"smtp+tls://me:{MASK}@mail:587"),
        ("CACHE_URL=redis://:abc@host:6379/0", f"redis://:{MASK}@host:6379/0"),
        ("CACHE_URL=redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("CACHE_URL='redis://:abc@a,redis://:abc@b'", f"redis://:{MASK}@b"),
        ("ORIGINS=https://a.com,https://b.com:8000", "https://a.com,https://b.com:8000"),
    ],
)  # fmt: skip
def test_secrets_are_masked(line: str, shown: str) -> None:
    file = DotEnv(f"OLD=1\n{line}\n")
    assert file.masked[line.partition("=")[0]] == shown


def test_all_that_the_scaffold_proposes_can_be_set_back(tmp_path: Path) -> None:
    """The example lists what the settings of a new Act read."""
    example = (shelf("scaffolds") / "django" / ".env.example").read_text()
    proposed = example.replace("\n#", "\n")
    assert len(DotEnv(proposed).values) >= 10
    changed = DotEnv("").changed(DotEnv(proposed).values)
    assert seen(tmp_path, changed.text) == seen(tmp_path, proposed)


@ours
@given(TEXTS)
def test_what_uwsgi_loads_reads_it_the_same(text: str) -> None:
    """Its file stands alone, as the environment of an Act need not have this library."""
    source = shelf("scaffolds") / "venue" / "templates" / "environment.py"
    functions, _, _ = source.read_text().replace("import uwsgi\n", "").rpartition("\nput(")
    names: dict[str, Any] = {}
    exec(functions, names)
    assert dict(names["read"](text)) == DotEnv(text).values
