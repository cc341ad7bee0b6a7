"""What users type, and what it is taken for."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstage.errors import SourceRefused
from backstage.sources.source import Kind, Source


def told(text: str, ref: str = "") -> str:
    with pytest.raises(SourceRefused) as caught:
        Source.of(text, ref)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "ref", "location"),
    [
        ("https://example.org/me/shop.git", "v1.4", ""),
        ("http://example.org:8000/shop", "", ""),
        ("ssh://git@example.org:22/~me/shop.git", "", ""),
        ("ssh://git:pw@example.org/shop.git", "", "ssh://git@example.org/shop.git"),
        ("git@example.org:me/shop.git", "main", ""),
        ("example.org:shop", "", ""),
        ("git://[::1]/shop", "", ""),
        ("file:///srv/mein%20shop", "", ""),
        ("git+ssh://git@example.org/shop", "", "ssh://git@example.org/shop"),
        ("https://me:s3cr%2Ft@example.org/x", "", "https://example.org/x"),
        ("https://glpat-t0ken@example.org/x", "", "https://example.org/x"),
    ],
)
def test_a_url_is_a_repository_and_stays_one(text: str, ref: str, location: str) -> None:
    """Its text, without what is secret, is the same source again."""
    source = Source.of(text, ref)
    assert source == Source(Kind.REPOSITORY, location or text, ref)
    assert Source.of(str(source), source.ref) == source
    assert not [word for word in ("s3cr", "t0ken", "pw") if word in f"{source!r}{source}"]


def test_the_login_of_a_url_is_kept_apart() -> None:
    login = Source.of("https://m%40e:pa%2Fss:1@example.org:8443/x").login
    assert login
    assert (login.place, login.user) == ("https://example.org:8443", "m@e")
    assert login.password == "pa/ss:1"
    assert Source.of("https://example.org/x").login is None


def test_the_ref_of_a_requirement_is_one_unless_another_is_given() -> None:
    text = "git+https://example.org/shop.git@v1.4"
    assert Source.of(text) == Source(Kind.REPOSITORY, "https://example.org/shop.git", "v1.4")
    assert Source.of(text, "main").ref == "main"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("a\x1bb", "characters that nobody sees"),
        ("ext::sh -c x", "it names a program"),
        ("fd::17", "it names a program"),
        ("ftp://example.org/shop.git", "'ftp' is none of https, http, ssh, git, file"),
        ("https://-x/shop", "it has no valid host"),
        ("https://example.org/shop#egg=x", "it has a # after the host"),
        ("https://example.org/shop?x=1", "it has a ? after the host"),
        ("https://example.org/a.tar.gz", "type: curl -fLO https://example.org/a.tar.gz"),
        ("https://example.org/a;b.zip", "type: curl -fLO 'https://example.org/a;b.zip'"),
        ("./none", "there is no "),
        ("shop", "needs its version, as in shop==1.4"),
        ("shop>=1", "there is no "),
        ("~no-such-user/shop", "there is no "),
        ("shop @ git+https://me:s3cret@example.org/x", "give the URL behind the @ alone"),
        ("https://me:s3cr/et@example.org/x", "write %2F for /"),
        ("https://s3cr/et@example.org/x", "it has a @ after the host"),
        ("https://me:s3cr%0aet@example.org/x", "has a line break"),
        ("https://me:s3cret@example.org/x?token=s3cret", "it has a ? after the host"),
    ],
)
def test_what_is_no_source_is_refused_without_its_secrets(text: str, why: str) -> None:
    message = told(text)
    assert why in message
    assert "s3cr" not in message


def test_a_directory_is_known_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative or with ~, with spaces and umlauts, or like a URL or a package."""
    for name in ("größe 1", "a:b", "shop==1.0", "x@y:z"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path)
        source = Source.of(name)
        assert source == Source(Kind.DIRECTORY, str(tmp_path / name))
        assert Source.of(str(source)) == source
        monkeypatch.chdir(tmp_path / name)
        assert Source.of(f"../{name}") == Source.of(".") == source
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Source.of("~/größe 1").path == tmp_path / "größe 1"


def test_a_path_that_is_not_there_names_one_like_it(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert f"did you mean {tmp_path / 'shop'}?" in told(str(tmp_path / "shpo"))


def test_files_are_archives_or_refused(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "B.ZIP", "c.tgz"):
        (tmp_path / name).touch()
        assert Source.of(str(tmp_path / name)).kind is Kind.ARCHIVE
    (tmp_path / "x.rar").touch()
    assert "none of .tar.gz" in told(str(tmp_path / "x.rar"))
    (tmp_path / "link").symlink_to("nowhere")
    assert "it is a link to nothing" in told(str(tmp_path / "link"))
    assert "neither a directory nor a file" in told("/dev/null")


@pytest.mark.parametrize(
    ("names", "scripts", "kind"),
    [
        (["shop/__init__.py"], "", Kind.WHEEL),
        (["manage.py", "shop/settings.py"], "", Kind.ARCHIVE),
        (["shop/manage.py"], "", Kind.ARCHIVE),
        (["shop/manage.py"], "[console_scripts]\nshop-manage = shop.manage:main\n", Kind.WHEEL),
        (["shop/project_template/manage.py"], "", Kind.WHEEL),
        (["shop-1.0.data/manage.py", "manage.pyc"], "", Kind.WHEEL),
    ],
)
def test_a_wheel_is_unpacked_if_it_holds_a_project(
    tmp_path: Path, names: list[str], scripts: str, kind: Kind
) -> None:
    path = tmp_path / "shop-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in names:
            wheel.writestr(name, "")
        wheel.writestr("shop-1.0.dist-info/entry_points.txt", scripts)
    assert Source.of(str(path)).kind is kind


def test_a_wheel_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"<html>")
    assert "no wheel" in told(str(tmp_path / "x.whl"))


def test_a_package_has_a_version_which_is_its_ref() -> None:
    source = Source.of("health-checks[extra]==3.1")
    assert source == Source(Kind.PACKAGE, "health-checks[extra]", "3.1")
    assert str(source) == "health-checks[extra]==3.1"
    assert Source.of(str(source), source.ref) == source
    assert str(source.at("3.2")) == "health-checks[extra]==3.2"
    assert "is no version" in told("shop==1.0", "1 --index-url=x")


def test_only_what_has_refs_takes_one(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    assert "only repositories and packages have a ref" in told(str(tmp_path / "a.zip"), "v1")
    assert "it is no git repository, so it has no ref 'v1'" in told(str(tmp_path), "v1")


def test_another_ref_keeps_the_login() -> None:
    source = Source.of("https://me:pw@example.org/x", "v1").at("v2")
    assert source.ref == "v2"
    assert source.login
    assert source.login.password == "pw"


@given(st.text(max_size=30) | st.from_regex(r"(https|git|ssh)?(://|::|==|@)[ -~]{0,20}"))
def test_any_text_is_a_source_or_refused(text: str) -> None:
    """One whose text is the same source again, and can be no option of a program."""
    try:
        source = Source.of(text)
    except SourceRefused:
        return
    assert Source.of(str(source), source.ref) == source
    assert not str(source).startswith("-")


@given(st.text(max_size=12))
def test_a_ref_is_no_option_and_no_expression(ref: str) -> None:
    try:
        taken = Source.of("https://example.org/x", ref).ref
    except SourceRefused:
        return
    assert not taken.startswith("-")
    assert not set(taken) & set(":^~ \n\0")
