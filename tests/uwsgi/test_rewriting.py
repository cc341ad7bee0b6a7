"""New texts for vassal files, on a real disk and with the real uWSGI."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backstage.errors import ActFailed, EditRefused, UnsafeDirectory
from backstage.facts.faults import Fault
from backstage.layout.paths import ActPaths
from backstage.uwsgi import rewriting, vassal_files
from backstage.uwsgi.stats import EmperorStats
from tests import acts_on_disk
from tests.conftest import Listen

pytestmark = acts_on_disk.needs_uwsgi

NANO = 1_000_000_000

# The mtime that the Emperor has acted on.
ACTED = 1_700_000_000

Rewrite = Callable[..., tuple[str, ...]]


@pytest.fixture
def act(tmp_path: Path) -> ActPaths:
    """An Act that runs with its vassal file."""
    return acts_on_disk.with_vassal(tmp_path, ACTED * NANO)


def stats(last_mod: int = ACTED) -> EmperorStats:
    """The Emperor's report on a running Act."""
    return acts_on_disk.reported(last_mod=last_mod, pid=os.getpid())


@pytest.fixture
def text(act: ActPaths) -> str:
    return act.vassal.read_text()


@pytest.fixture
def rewrite(act: ActPaths, text: str) -> Rewrite:
    def attempt(
        new: str, based_on: str = text, known: EmperorStats | None = None
    ) -> tuple[str, ...]:
        return rewriting.rewrite(act, new, based_on, known or stats())

    return attempt


def test_a_good_text_is_written_so_that_the_emperor_takes_it(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    new = text.replace("threads = 4", "threads = 8") + "harakiri = 30\n"
    assert rewrite(new) == ("threads = 4 → 8", "+ harakiri = 30")
    assert act.vassal.read_text() == act.kept.read_text() == new
    assert ACTED < act.vassal.stat().st_mtime < int(time.time())
    assert [path.name for path in act.vassal.parent.iterdir()] == ["blog.ini"]


def test_it_is_newer_than_what_the_emperor_knows_whatever_its_own_date(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    os.utime(act.vassal, (1_500_000_000, 1_500_000_000))
    rewrite(f"{text}threads = 8\n")
    assert ACTED < act.vassal.stat().st_mtime < int(time.time())


def test_a_text_that_cannot_work_changes_nothing(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    before = vassal_files.version(act), act.kept.stat().st_mtime_ns
    with pytest.raises(EditRefused) as caught:
        rewrite(f"{text}threds = 8\n")
    assert (caught.value.path, caught.value.line) == (act.vassal, 5)
    assert caught.value.why == "unknown option 'threds'; did you mean 'threads'?"
    assert (vassal_files.version(act), act.kept.stat().st_mtime_ns) == before
    assert act.kept.read_text() == text


def test_a_fault_without_a_line_is_told_as_well(act: ActPaths, rewrite: Rewrite) -> None:
    with pytest.raises(EditRefused) as caught:
        rewrite("")
    assert str(caught.value) == f"{act.vassal}: the file is empty"


def test_a_fault_in_an_included_file_is_told_there(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    (act.venue.top / "more.ini").write_text("[uwsgi]\nthreds = 4\n")
    with pytest.raises(EditRefused) as caught:
        rewrite(f"{text}ini = ../more.ini\n")
    assert (caught.value.path, caught.value.line) == (act.venue.top / "more.ini", 2)


def test_a_file_that_somebody_else_has_changed_is_left_to_them(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    act.vassal.write_text(f"{text}# mine\n")
    with pytest.raises(EditRefused, match="changed in the meantime"):
        rewrite(f"{text}threads = 8\n")
    assert act.vassal.read_text() == f"{text}# mine\n"


def test_a_file_that_somebody_is_writing_is_left_to_them(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    with act.vassal.open("a") as file:
        file.write("# mi")
        file.flush()
        with pytest.raises(EditRefused, match="changed in the meantime"):
            rewrite(f"{text}threads = 8\n")


def test_the_kept_file_of_a_stopped_act_is_rewritten(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    act.vassal.unlink()
    known = EmperorStats(pid=1, vassals={}, blacklist={})
    with pytest.raises(EditRefused) as caught:
        rewrite(f"{text}threds = 8\n", known=known)
    assert (caught.value.path, caught.value.line) == (act.kept, 5)
    assert rewrite(f"{text}processes = 2\n", known=known) == ("+ processes = 2",)
    assert not act.vassal.exists()
    assert act.kept.read_text() == f"{text}processes = 2\n"
    vassal_files.put_back(act)


def test_an_act_without_any_file_is_told_so(act: ActPaths) -> None:
    act.vassal.unlink()
    act.kept.unlink()
    with pytest.raises(ActFailed, match=r"has no vassal file; make one with new_act\(venue, 'blog"):
        rewriting.present(act)


def port_of(text: str) -> int:
    return int(text.partition("127.0.0.1:")[2].split()[0])


def test_the_ports_of_the_running_act_are_not_asked_for(
    act: ActPaths, text: str, rewrite: Rewrite, listen: Listen
) -> None:
    """This holds even if it was given another port by hand, in a file that was not kept."""
    port = listen().getsockname()[1]
    edited = text.replace(str(port_of(text)), str(port))
    act.vassal.write_text(edited)
    os.utime(act.vassal, (ACTED, ACTED))
    assert rewrite(f"{edited}processes = 2\n", based_on=edited) == ("+ processes = 2",)


def test_a_port_of_an_edit_that_is_not_taken_yet_has_to_be_free(
    act: ActPaths, text: str, rewrite: Rewrite, listen: Listen
) -> None:
    port = listen().getsockname()[1]
    edited = text.replace(str(port_of(text)), str(port))
    act.vassal.write_text(edited)
    os.utime(act.vassal, (ACTED + 1, ACTED + 1))
    with pytest.raises(EditRefused, match=f"port {port} is taken by"):
        rewrite(f"{edited}processes = 2\n", based_on=edited)


def test_an_edit_that_was_refused_can_be_mended(
    act: ActPaths, text: str, rewrite: Rewrite, listen: Listen
) -> None:
    """The running Act uses the kept file and its ports."""
    listen(port=port_of(text))
    bad = f"{text}threds = 8\n"
    act.vassal.write_text(bad)
    os.utime(act.vassal, (ACTED, ACTED))
    version = vassal_files.version(act)
    assert version
    fault = Fault("vassals/blog.ini", 5, "threds", "unknown option 'threds'")
    vassal_files.refuse(act, version, fault)
    new = bad.replace("threds", "processes")
    assert rewrite(new, based_on=bad) == ("- threds", "+ processes = 8")
    assert vassal_files.refusal(act) is None
    assert act.kept.read_text() == new


def test_what_a_link_names_is_rewritten(act: ActPaths, text: str, rewrite: Rewrite) -> None:
    real = act.venue.top / "blog.conf"
    act.vassal.rename(real)
    act.vassal.symlink_to(real)
    rewrite(f"{text}processes = 2\n")
    assert act.vassal.is_symlink()
    assert real.read_text() == f"{text}processes = 2\n"
    assert ACTED < act.vassal.stat().st_mtime < int(time.time())


def test_nothing_is_written_where_others_can_write(
    act: ActPaths, text: str, rewrite: Rewrite
) -> None:
    act.vassal.parent.chmod(0o777)
    with pytest.raises(UnsafeDirectory):
        rewrite(f"{text}processes = 2\n")
    assert act.vassal.read_text() == text
