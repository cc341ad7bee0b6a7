"""The .env of an Act on a real disk."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backstage.errors import ActFailed, CannotWrite, SettingsError
from backstage.layout.paths import ActPaths, VenuePaths
from backstage.projects.env_file import EnvFile
from backstage.system.locks import locked

TEXT = "# ours\nSECRET_KEY=abc\nDEBUG=off\n"
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    paths = VenuePaths(tmp_path).act("blog")
    paths.top.mkdir(parents=True)
    paths.env_file.write_text(TEXT)
    paths.env_file.chmod(0o600)
    return paths


@pytest.fixture
def environment(act: ActPaths) -> EnvFile:
    return EnvFile(act)


def test_it_is_read_like_a_mapping(environment: EnvFile) -> None:
    assert dict(environment) == {"SECRET_KEY": "abc", "DEBUG": "off"}
    assert environment["DEBUG"] == "off"
    assert environment.get("TLS") is None
    assert "TLS" not in environment
    assert len(environment) == 2
    with pytest.raises(KeyError):
        environment["TLS"]


def test_no_secret_is_shown_unasked(environment: EnvFile) -> None:
    assert repr(environment) == "<EnvFile of 'blog': SECRET_KEY, DEBUG>"
    assert environment.masked == {"SECRET_KEY": "********", "DEBUG": "off"}


def test_variables_are_set_by_name_or_by_a_mapping(environment: EnvFile, act: ActPaths) -> None:
    assert environment.set({"DEBUG": "off", "self": "a"}, TLS="on") == ("self", "TLS")
    assert act.env_file.read_text() == TEXT + "self=a\nTLS=on\n"
    assert environment.set(DEBUG="on", EMAIL_URL="consolemail://") == ("DEBUG", "EMAIL_URL")
    assert environment["DEBUG"] == "on"


def test_variables_are_unset_together_or_not_at_all(environment: EnvFile, act: ActPaths) -> None:
    with pytest.raises(SettingsError) as caught:
        environment.unset("DEBUG", "DEBGU")
    assert str(caught.value) == f"{act.env_file}: has no 'DEBGU'; it has: SECRET_KEY, DEBUG"
    assert act.env_file.read_text() == TEXT
    environment.unset("DEBUG")
    assert act.env_file.read_text() == "# ours\nSECRET_KEY=abc\n"


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"A": "1", "B C": "2"}, "'B C' cannot be a name"),
        ({"A": "1", "B": "2\nDEBUG=on"}, "the value of B has a line break"),
        (
            {"A": "1", "B": "$ecret"},
            "B starts with $, so django-environ reads the rest as the name",
        ),
    ],
)
def test_what_django_would_not_see_is_refused_and_nothing_written(
    environment: EnvFile, act: ActPaths, variables: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        environment.set(variables)
    assert why in str(caught.value)
    assert "ecret" not in str(caught.value)
    assert act.env_file.read_text() == TEXT


def test_a_reference_to_what_is_there_is_taken(environment: EnvFile) -> None:
    environment.set(REPLICA_URL="$DATABASE_URL", DATABASE_URL="sqlite:///db")
    environment.set(OLD="$DEBUG")


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_only_the_owner_can_read_it(environment: EnvFile, act: ActPaths, mode: int) -> None:
    act.env_file.chmod(mode)
    environment.set(DEBUG="on")
    assert stat.S_IMODE(act.env_file.stat().st_mode) == 0o600


def test_it_is_made_where_it_is_not(environment: EnvFile, act: ActPaths) -> None:
    act.env_file.unlink()
    assert dict(environment) == {}
    environment.set(DEBUG="on")
    assert act.env_file.read_text() == "DEBUG=on\n"
    assert stat.S_IMODE(act.env_file.stat().st_mode) == 0o600


def test_what_is_so_is_not_written_again(environment: EnvFile, act: ActPaths) -> None:
    before = act.env_file.stat().st_ino
    assert environment.set(DEBUG="off") == ()
    assert environment.set() == ()
    assert act.env_file.stat().st_ino == before


@needs_root
def test_the_owner_stays(environment: EnvFile, act: ActPaths) -> None:
    os.chown(act.env_file, NOBODY, NOBODY)
    environment.set(DEBUG="on")
    facts = act.env_file.stat()
    assert (facts.st_uid, facts.st_gid) == (NOBODY, NOBODY)


@needs_root
def test_a_new_one_belongs_to_whom_the_project_belongs(open_place: Path) -> None:
    act = VenuePaths(open_place).act("blog")
    act.top.mkdir(parents=True)
    os.chown(act.top, NOBODY, NOBODY)
    EnvFile(act).set(DEBUG="on")
    assert act.env_file.stat().st_uid == NOBODY


def test_an_owner_that_cannot_be_kept_is_told_and_nothing_is_left(
    environment: EnvFile, act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write in the directory is not therefore the owner of the file."""

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", fail)
    with pytest.raises(CannotWrite, match=r"the \.env of Act 'blog': Operation not permitted"):
        environment.set(DEBUG="on")
    assert act.env_file.read_text() == TEXT
    assert [path.name for path in act.top.iterdir()] == [".env"]


def test_a_link_is_followed(environment: EnvFile, act: ActPaths, tmp_path: Path) -> None:
    real = tmp_path / "blog.env"
    act.env_file.rename(real)
    act.env_file.symlink_to(real)
    environment.set(DEBUG="on")
    assert act.env_file.is_symlink()
    assert real.read_text() == TEXT.replace("off", "on")


def test_an_act_without_a_project_is_told_so(act: ActPaths) -> None:
    environment = EnvFile(act.venue.act("worker"))
    with pytest.raises(ActFailed, match=r"has no project in .*/acts/worker, and so no"):
        dict(environment)
    with pytest.raises(ActFailed, match="has no project"):
        environment.set(DEBUG="on")


def test_what_is_no_text_is_told_by_its_line(environment: EnvFile, act: ActPaths) -> None:
    act.env_file.write_bytes(b"# ours\nCAFE=caf\xe9\n")
    with pytest.raises(SettingsError) as caught:
        environment.set(DEBUG="on")
    assert (caught.value.path, caught.value.line) == (act.env_file, 2)
    assert "byte 0xe9 is not UTF-8" in caught.value.why
    assert act.env_file.read_bytes() == b"# ours\nCAFE=caf\xe9\n"


def test_what_cannot_be_read_is_told(environment: EnvFile, act: ActPaths) -> None:
    act.env_file.unlink()
    act.env_file.mkdir()
    with pytest.raises(CannotWrite, match=r"reading the \.env of Act 'blog': Is a directory"):
        dict(environment)


def test_only_a_file_is_read(environment: EnvFile, act: ActPaths) -> None:
    """An Act may have put a pipe there, into which it writes nothing."""
    act.env_file.unlink()
    os.mkfifo(act.env_file)
    writer = os.open(act.env_file, os.O_RDWR)
    try:
        assert dict(environment) == {}
    finally:
        os.close(writer)


def test_no_more_than_1_mb_is_read(environment: EnvFile, act: ActPaths) -> None:
    """A sparse file costs the Act nothing, and could fill the memory of whoever reads it."""
    os.truncate(act.env_file, 1_000_000)
    assert environment["DEBUG"] == "off"
    os.truncate(act.env_file, 1_000_001)
    with pytest.raises(SettingsError, match="has more than 1 MB, so it is not read"):
        dict(environment)


def test_changes_at_the_same_moment_are_all_there(environment: EnvFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: environment.set({f"N{number}": "1"}), range(24)))
    assert {f"N{number}" for number in range(24)} <= set(environment)


def test_a_change_waits_for_other_calls_on_the_act(environment: EnvFile, act: ActPaths) -> None:
    with locked(act.lock, "the test"):
        change = threading.Thread(target=environment.set, kwargs={"DEBUG": "on"})
        change.start()
        change.join(0.1)
        assert environment["DEBUG"] == "off"
    change.join(30)
    assert environment["DEBUG"] == "on"


def test_a_full_disk_leaves_the_file_as_it_was(
    environment: EnvFile, act: ActPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CannotWrite, match="No space left"):
        environment.set(DEBUG="on")
    assert act.env_file.read_text() == TEXT
    assert [path.name for path in act.top.iterdir()] == [".env"]


@needs_root
def test_root_follows_no_link_of_another_user(
    environment: EnvFile, act: ActPaths, tmp_path: Path
) -> None:
    """Whoever owns the directory could have root read or write any file for him."""
    secret = tmp_path / "secret"
    secret.write_text("PASSWORD=x\n")
    act.env_file.unlink()
    act.env_file.symlink_to(secret)
    assert environment["PASSWORD"] == "x"
    os.chown(act.top, NOBODY, NOBODY)
    os.chown(act.env_file, NOBODY, NOBODY, follow_symlinks=False)
    for call in (lambda: environment.set(DEBUG="on"), lambda: dict(environment)):
        with pytest.raises(SettingsError, match="is nobody's link, which root does not follow"):
            call()
    assert secret.read_text() == "PASSWORD=x\n"
    assert act.env_file.is_symlink()


@needs_root
def test_root_leaves_another_users_file_to_him(open_place: Path) -> None:
    act = VenuePaths(open_place).act("blog")
    act.top.mkdir(parents=True)
    act.env_file.write_text(TEXT)
    environment = EnvFile(act)
    for path in (act.top, act.env_file):
        os.chown(path, NOBODY, NOBODY)
    # As if he had put it there just before root gets to it.
    (act.top / f"..env.{act.name}.part").symlink_to("/nowhere")
    environment.set(DEBUG="on")
    facts = act.env_file.lstat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (NOBODY, NOBODY, 0o600)
    assert environment["DEBUG"] == "on"


def test_an_empty_value_is_replaced_in_its_place(environment: EnvFile, act: ActPaths) -> None:
    act.env_file.write_text("SECRET_KEY=\nDEBUG=on\n")
    assert environment.set(SECRET_KEY="abc") == ("SECRET_KEY",)
    assert act.env_file.read_text() == "SECRET_KEY=abc\nDEBUG=on\n"


def test_a_change_is_put_back_unless_somebody_has_changed_it_since(
    environment: EnvFile, act: ActPaths
) -> None:
    before = environment.read()
    environment.set(DEBUG="on", TLS="on")
    changed = environment.read()
    assert environment.put_back(before, changed)
    assert act.env_file.read_text() == TEXT
    assert not environment.put_back(before, changed)
    assert act.env_file.read_text() == TEXT
