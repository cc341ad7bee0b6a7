"""Fetching commits with the real git: from here, and from a real server."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from backstage.errors import SourceRefused
from backstage.sources.fetched import Fetched
from backstage.sources.fetching import fetch
from backstage.sources.source import Kind, Source
from tests.conftest import Listen, Spawn
from tests.patience import PATIENCE

from .repository import PASSWORD, USER, Repository, serving

LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two commits, a tag of each, a branch; its path has a space and an umlaut."""
    made = Repository(tmp_path_factory.mktemp("x") / "mein Häuschen")
    made.commit({"manage.py": "second\n", "shop/ä ö.py": "", ".env": "A=1\n"})
    made.git("tag", "--annotate", "v1.5", "--message", "x")
    made.git("branch", "dev")
    made.git("branch", "both")
    made.git("tag", "both")
    return made


@pytest.fixture
def into(tmp_path: Path) -> Path:
    release = tmp_path / "releases" / "größe 1"
    release.mkdir(parents=True)
    return release / "code"


def fetched(text: object, ref: str, into: Path) -> Fetched:
    source = Source.of(str(text), ref)
    assert source.kind is Kind.REPOSITORY
    return fetch(source, into)


def refusal(text: object, ref: str, into: Path) -> str:
    """Why something is not fetched; nothing is left, of any name."""
    before = sorted(into.parent.rglob("*"))
    with pytest.raises(SourceRefused) as caught:
        fetched(text, ref, into)
    assert sorted(into.parent.rglob("*")) == before
    return str(caught.value)


@pytest.mark.parametrize("ref", ["v1.4", "refs/tags/v1.4", "commit", "beginning"])
def test_a_ref_is_a_tag_a_branch_or_a_commit(shop: Repository, into: Path, ref: str) -> None:
    ref = {"commit": shop.first, "beginning": shop.first[:9]}.get(ref, ref)
    done = fetched(shop.path, ref, into)
    assert done.commit == shop.first
    assert not done.is_dirty
    assert (into / "manage.py").read_text() == "first\n"
    assert sorted(os.listdir(into)) == ["manage.py"]


@pytest.mark.parametrize("ref", ["main", "dev", "v1.5", "refs/heads/both", "HEAD"])
def test_an_annotated_tag_and_a_branch_are_the_commit(
    shop: Repository, into: Path, ref: str
) -> None:
    assert fetched(shop.path, ref, into).commit == shop.git("rev-parse", "main")
    assert (into / "shop" / "ä ö.py").exists()


def test_a_commit_that_no_branch_is_at_is_found_by_its_beginning(
    shop: Repository, into: Path
) -> None:
    made = Repository(into.parent / "other")
    middle = made.commit({"a": "1\n"})
    made.commit({"a": "2\n"})
    assert fetched(made.path, middle[:8], into).commit == middle
    assert (into / "a").read_text() == "1\n"


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("1.5", "did you mean v1.5?"),
        ("V1.4", "did you mean v1.4"),
        ("origin/mian", "did you mean main?"),
        ("nothing", "it has both, dev, main, v1.4, v1.5"),
        ("abcdef1", "no branch, tag or commit 'abcdef1'"),
        ("f" * 40, "no branch, tag or commit"),
        ("both", "give refs/tags/both or refs/heads/both"),
        ("--upload-pack=touch x", "cannot be a ref"),
        ("main:x", "cannot be a ref"),
        ("HEAD~1", "cannot be a ref"),
    ],
)
def test_a_ref_that_is_not_there_names_those_that_are(
    shop: Repository, into: Path, ref: str, told: str
) -> None:
    assert told in refusal(shop.path, ref, into)


def test_an_empty_repository_is_refused(tmp_path: Path, into: Path, shop: Repository) -> None:
    shop.git("init", "--quiet", "--bare", str(tmp_path / "empty.git"))
    assert "the repository is empty" in refusal(tmp_path / "empty.git", "", into)


def test_a_head_that_names_no_branch_is_told(tmp_path: Path, into: Path, shop: Repository) -> None:
    shop.git("clone", "--quiet", "--bare", str(shop.path), str(tmp_path / "bare.git"))
    (tmp_path / "bare.git" / "HEAD").write_text("ref: refs/heads/gone\n")
    assert "its HEAD names no branch; give a ref" in refusal(tmp_path / "bare.git", "", into)


def test_a_bare_repository_is_one_without_a_ref(
    tmp_path: Path, into: Path, shop: Repository
) -> None:
    shop.git("clone", "--quiet", "--bare", str(shop.path), str(tmp_path / "bare.git"))
    assert fetched(tmp_path / "bare.git", "", into).commit == shop.git("rev-parse", "main")


def test_the_variables_of_a_hook_lead_nowhere_else(
    shop: Repository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git runs a hook with them, and a release may be made by one."""
    other = Repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    before = (other.path / ".git" / "config").read_bytes()
    assert fetched(shop.path, "v1.4", into).commit == shop.first
    assert (other.path / ".git" / "config").read_bytes() == before


def test_nothing_that_a_configuration_names_is_run(
    shop: Repository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hook and no monitor, of the user's configuration or of the repository's."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "monitor"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-$(basename $0)\n")
        (hooks / name).chmod(0o755)
    template = tmp_path / "template" / "hooks"
    shutil.copytree(hooks, template)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = {hooks}/monitor\nautocrlf = true\n"
        f"[init]\ntemplateDir = {template.parent}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    fetched(shop.path, "v1.4", into)
    assert (into / "manage.py").read_bytes() == b"first\n"
    shutil.rmtree(into)
    fetch(Source.of(str(shop.path)), into)
    assert not list(tmp_path.glob("ran-*"))


def test_a_submodule_comes_along(tmp_path: Path, into: Path) -> None:
    part = Repository(tmp_path / "srv" / "part", {"part.py": "old\n"})
    whole = Repository(tmp_path / "srv" / "whole")
    whole.git("submodule", "--quiet", "add", "../part", "libs/part")
    commit = whole.commit({})
    part.commit({"part.py": "new\n"})
    with serving(tmp_path / "srv") as (port, _):
        url = f"http://{LOGIN}127.0.0.1:{port}/whole/.git"
        whole.git("config", "--file", ".gitmodules", "submodule.libs/part.url", "../../part/.git")
        commit = whole.commit({})
        assert fetched(url, "", into).commit == commit
    assert (into / "libs" / "part" / "part.py").read_text() == "old\n"
    assert not list(into.rglob(".git"))


def test_a_submodule_is_no_file_of_this_machine(tmp_path: Path, into: Path) -> None:
    """Whoever writes the repository does not choose what is read here."""
    secret = Repository(tmp_path / "secret")
    whole = Repository(tmp_path / "whole")
    whole.git("submodule", "--quiet", "add", str(secret.path), "part")
    whole.commit({}, tag="v2")
    told = refusal(whole.path, "v2", into)
    assert "its submodules cannot be fetched: part" in told
    assert "transport 'file' not allowed" in told
    assert "git clone --recurse-submodules" in told


def test_a_submodule_that_is_not_checked_out_is_told(tmp_path: Path, into: Path) -> None:
    part = Repository(tmp_path / "part")
    whole = Repository(tmp_path / "whole")
    whole.git("submodule", "--quiet", "add", str(part.path), "part")
    whole.commit({})
    whole.git("clone", "--quiet", str(whole.path), str(tmp_path / "clone"))
    with pytest.raises(SourceRefused) as caught:
        fetch(Source.of(str(tmp_path / "clone")), into)
    command = f"git -C {tmp_path / 'clone'} submodule update --init --recursive"
    assert str(caught.value).endswith(f"not checked out: part; type: {command}")
    whole.git("-C", str(tmp_path / "clone"), "submodule", "--quiet", "update", "--init")
    fetch(Source.of(str(tmp_path / "clone")), into)
    assert (into / "part" / "manage.py").exists()
    assert not list(into.rglob(".git"))


@pytest.mark.parametrize("simple", [False, True], ids=["git", "files"])
def test_a_password_is_seen_by_the_server_alone(
    tmp_path: Path, into: Path, simple: bool, shop: Repository
) -> None:
    """It is in no message, no text of the source, and not in `ps`."""
    top = tmp_path / "srv"
    shop.git("clone", "--quiet", "--bare", str(shop.path), str(top / "shop.git"))
    shop.git("-C", str(top / "shop.git"), "update-server-info")
    with serving(top, simple=simple) as (port, commands):
        source = Source.of(f"http://{LOGIN}127.0.0.1:{port}/shop.git", "v1.4")
        done = fetch(source, into)
        assert done.commit == shop.first
        wrong = f"http://{USER}:{PASSWORD[:-1].replace('/', '%2F')}@127.0.0.1:{port}/shop.git"
        told = refusal(wrong, "v1.4", into.with_name("x"))
        assert "the server does not accept the login" in told
        bare = refusal(f"http://127.0.0.1:{port}/shop.git", "v1.4", into.with_name("x"))
        assert "it needs a login" in bare
        absent = f"http://{LOGIN}127.0.0.1:{port}/none.git"
        assert "there is no repository at that place" in refusal(absent, "", into.with_name("x"))
    assert any("git" in command for command in commands)
    shown = [repr(source), str(source), repr(done), told, *commands]
    secrets = (PASSWORD[:-1], quote(PASSWORD[:-1], safe=""))
    assert not [each for each in shown if any(secret in each for secret in secrets)]


def test_the_credentials_of_the_user_are_used(
    tmp_path: Path, into: Path, shop: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that git keeps for a host; also for the user whom the URL names, or for no one."""
    top = tmp_path / "srv"
    shop.git("clone", "--quiet", "--bare", str(shop.path), str(top / "shop.git"))
    with serving(top) as (port, _):
        (tmp_path / "kept").write_text(f"http://{LOGIN}127.0.0.1:{port}\n")
        configuration = tmp_path / "gitconfig"
        configuration.write_text(f"[credential]\nhelper = store --file={tmp_path}/kept\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
        for number, user in enumerate(("", f"{USER}@")):
            url = f"http://{user}127.0.0.1:{port}/shop.git"
            assert fetched(url, "v1.4", into.with_name(str(number))).commit == shop.first
        assert "it needs a password" in refusal(url.replace(USER, "you"), "", into)


def test_the_login_of_a_url_is_kept_by_no_helper(
    tmp_path: Path, into: Path, shop: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "srv"
    shop.git("clone", "--quiet", "--bare", str(shop.path), str(top / "shop.git"))
    configuration = tmp_path / "gitconfig"
    configuration.write_text(f"[credential]\nhelper = store --file={tmp_path}/kept\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    with serving(top) as (port, _):
        fetched(f"http://{LOGIN}127.0.0.1:{port}/shop.git", "v1.4", into)
    assert not (tmp_path / "kept").exists()


def test_a_host_that_is_not_there_is_told_with_the_line_to_try(into: Path) -> None:
    told = refusal("http://127.0.0.1:1/shop.git", "", into)
    assert "type: git ls-remote http://127.0.0.1:1/shop.git\n" in told
    assert "Failed to connect" in told


def test_without_git_the_line_that_installs_it_is_told(
    shop: Repository, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory needs none, but its commit is unknown."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert "git is not installed; type: apt install git" in refusal(shop.path, "v1.4", into)
    done = fetch(Source.of(str(shop.path)), into)
    assert done.commit == ""
    assert done.notes[0].startswith("its commit is unknown")


FETCHES = """
import sys
from pathlib import Path
from backstage.sources import git
from backstage.sources.fetching import fetch
from backstage.sources.source import Source
# It would give up by itself.
git._SETTINGS = tuple(each for each in git._SETTINGS if "lowSpeed" not in each)
fetch(Source.of(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_killed_call_leaves_no_git_and_the_next_call_fetches(
    tmp_path: Path, into: Path, shop: Repository, spawn: Spawn, listen: Listen
) -> None:
    listener = listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/shop.git"
    call = spawn(sys.executable, "-c", FETCHES, url, into)
    connection, _ = listener.accept()
    with connection:
        running = psutil.Process(call.pid).children(recursive=True)
        assert running
        call.kill()
        _, alive = psutil.wait_procs(running, timeout=PATIENCE)
        assert not alive
    assert not into.exists()
    fetched(shop.path, "v1.4", into)
    assert os.listdir(into.parent) == ["code"]


def test_a_directory_tells_its_commit_and_what_differs(tmp_path: Path, into: Path) -> None:
    made = Repository(tmp_path / "shop", {"manage.py": "", ".gitignore": "*.log\n"})
    (made.path / "ignored.log").touch()
    clean = fetch(Source.of(str(made.path)), into)
    assert (clean.commit, clean.is_dirty, clean.notes) == (made.first, False, ())
    (made.path / "neu ä.py").touch()
    dirty = fetch(Source.of(str(made.path)), into.with_name("second"))
    assert (dirty.commit, dirty.is_dirty) == (made.first, True)
    assert dirty.notes == ("not as in the commit: neu ä.py",)
    assert (into.with_name("second") / "neu ä.py").exists()


def test_a_repository_around_a_directory_does_not_count_without_a_file_of_it(
    tmp_path: Path, into: Path
) -> None:
    """As where the home directory is one."""
    home = Repository(tmp_path / "home", {".bashrc": "", ".gitignore": "shop\n"})
    (home.path / "shop").mkdir()
    (home.path / "shop" / "manage.py").touch()
    done = fetch(Source.of(str(home.path / "shop")), into)
    assert (done.commit, done.is_dirty) == ("", False)


def test_a_part_of_a_repository_has_no_ref(tmp_path: Path) -> None:
    made = Repository(tmp_path / "all", {"shop/manage.py": ""})
    with pytest.raises(SourceRefused, match=r"is a part of the repository \S+/all;"):
        Source.of(str(made.path / "shop"), "v1.4")


def test_links_out_of_a_commit_are_refused(tmp_path: Path, into: Path) -> None:
    made = Repository(tmp_path / "shop", {"manage.py": "", "deep/er/x": ""})
    (made.path / "within").symlink_to("deep/er/x")
    (made.path / "deep" / "up").symlink_to("..")
    made.commit({}, tag="v2")
    fetched(made.path, "v2", into)
    assert (into / "within").read_text() == ""
    # As a text this one stays within: shop/deep/up/../x.
    (made.path / "out").symlink_to("deep/up/../secret")
    made.commit({}, tag="v3")
    assert "in a circle: out -> deep/up/../secret" in refusal(made.path, "v3", into.with_name("x"))


def test_large_files_come_along(tmp_path: Path, into: Path) -> None:
    if not shutil.which("git-lfs"):
        pytest.skip("git-lfs is not installed")
    made = Repository(tmp_path / "shop")
    made.git("lfs", "install", "--local")
    made.git("lfs", "track", "*.bin")
    commit = made.commit({"large.bin": "x" * 5000})
    assert "oid sha256" in made.git("show", "HEAD:large.bin")
    assert fetched(made.path.as_uri(), "", into).commit == commit
    assert (into / "large.bin").read_text() == "x" * 5000
    shutil.rmtree(made.path / ".git" / "lfs" / "objects")
    assert "large files (Git LFS) cannot be fetched: large.bin" in refusal(
        made.path, "main", into.with_name("x")
    )


def test_a_directory_with_pointers_is_refused(tmp_path: Path, into: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5000\n"
    made = Repository(tmp_path / "shop", {"manage.py": "", "a/large.bin": pointer})
    with pytest.raises(SourceRefused, match=r"a/large\.bin; type: git -C \S+/shop lfs pull"):
        fetch(Source.of(str(made.path)), into)
