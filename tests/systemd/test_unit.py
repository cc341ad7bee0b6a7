"""The text of a Venue's unit: its contents, and how it is found again."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from backstage.layout.settings import Limits, Logs
from backstage.layout.shipped_files import filled, shelf
from backstage.system import seals
from backstage.systemd.unit import Unit, finished, unit_names, venue_of

PLAIN = Unit(
    venue=Path("/srv/shows/site"),
    python=Path("/srv/shows/site/bin/python"),
    user="shows",
    group="theatre",
    limits=Limits(),
    logs=Logs.FILES,
    places=(Path("/srv/shows/site"), Path("/usr/bin/python3.11")),
)
OWN = dataclasses.replace(PLAIN, user="", group="")
ROOTS = dataclasses.replace(PLAIN, user="root", group="root")


def text_of(unit: Unit) -> str:
    parts = (filled(shelf("emperor") / name, **unit.markers) for name in unit.hardening)
    hardening = "".join(parts)
    text = filled(shelf("emperor") / "backstage.service", hardening=hardening, **unit.markers)
    return finished(text, "backstage-site.service")


def settings_of(unit: Unit) -> dict[str, str]:
    """The settings of a unit; of repeated ones, the last."""
    lines = [
        line for line in text_of(unit).splitlines() if line and not line.startswith(("#", "["))
    ]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("unit", [PLAIN, OWN, ROOTS], ids=["plain", "own", "roots"])
def test_a_unit_is_whole(unit: Unit) -> None:
    """No marker is left, every line is a section, a setting or a comment, and it is sealed."""
    text = text_of(unit)
    assert not re.search(r"@[A-Z]+@", text)
    for line in text.splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"\[\w+\]|[A-Z]\w+=.*", line), line
    assert not seals.is_edited(text)
    assert [line for line in text.splitlines() if line.startswith("[")] == [
        "[Unit]",
        "[Service]",
        "[Install]",
    ]


@pytest.mark.parametrize(
    ("unit", "kinds"),
    [(PLAIN, ("system",)), (OWN, ("user",)), (ROOTS, ("system", "root"))],
    ids=lambda it: str(it),
)
def test_each_kind_is_hardened_in_its_own_way(unit: Unit, kinds: tuple[str, ...]) -> None:
    assert unit.hardening == tuple(f"hardening-{kind}.conf" for kind in kinds)
    assert settings_of(unit)["NoNewPrivileges"] == "yes"
    assert unit.own == (kinds == ("user",))


def test_who_it_runs_as() -> None:
    settings = settings_of(PLAIN)
    assert (settings["User"], settings["Group"]) == ("shows", "theatre")
    assert settings["WantedBy"] == "multi-user.target"
    settings = settings_of(OWN)
    assert not {"User", "Group"} & settings.keys()
    assert settings["WantedBy"] == "default.target"


def test_limits_in_the_words_of_systemd() -> None:
    assert not {"MemoryMax", "CPUQuota", "TasksMax"} & settings_of(PLAIN).keys()
    limits = Limits(memory=300 * 1024**2, cpu=150, tasks=64)
    settings = settings_of(dataclasses.replace(PLAIN, limits=limits))
    assert settings["MemoryMax"] == "314572800"
    assert settings["CPUQuota"] == "150%"
    assert settings["TasksMax"] == "64"
    settings = settings_of(dataclasses.replace(PLAIN, limits=Limits(cpu=50)))
    assert settings["CPUQuota"] == "50%"
    assert not {"MemoryMax", "TasksMax"} & settings.keys()


@pytest.mark.parametrize(("logs", "told"), [(Logs.FILES, False), (Logs.JOURNAL, True)])
def test_the_journal_is_served_if_wanted(logs: Logs, told: bool) -> None:
    text = text_of(dataclasses.replace(PLAIN, logs=logs))
    assert ("\nEnvironment=BACKSTAGE_JOURNAL=yes\n" in text) == told


@pytest.mark.parametrize(
    ("place", "home", "tmp"),
    [
        ("/srv/shows", "yes", "yes"),
        ("/homeless/shows", "yes", "yes"),
        ("/home/shows", "read-only", "yes"),
        ("/root/.pyenv/versions/3.12.0/bin", "read-only", "yes"),
        ("/run/user/1000/shows", "read-only", "yes"),
        ("/tmp/shows", "yes", "no"),
        ("/var/tmp/shows", "yes", "no"),
    ],
)
def test_what_is_hidden_hides_neither_the_venue_nor_its_python(
    place: str, home: str, tmp: str
) -> None:
    unit = dataclasses.replace(PLAIN, places=(Path("/srv/shows/site"), Path(place)))
    settings = settings_of(unit)
    assert (settings["ProtectHome"], settings["PrivateTmp"]) == (home, tmp)


def test_names_are_by_the_venues_name_or_by_its_path() -> None:
    assert unit_names(Path("/srv/shows/site")) == (
        "backstage-site.service",
        "backstage-srv-shows-site.service",
    )
    assert unit_names(Path("/srv/two words/Müller@home")) == (
        "backstage-M_ller_home.service",
        "backstage-srv-two_words-M_ller_home.service",
    )


@pytest.mark.parametrize("venue", ["/srv/shows/site", "/srv/two words/site", "/srv/für/uns=1"])
def test_a_unit_tells_whose_it_is(venue: str) -> None:
    unit = dataclasses.replace(PLAIN, venue=Path(venue), python=Path(venue, "bin/python"))
    assert venue_of(text_of(unit)) == Path(venue)


@pytest.mark.parametrize(
    "text", ["", "[Service]\n", "#WorkingDirectory=/srv\n", "WorkingDirectory="]
)
def test_a_unit_of_something_else_tells_of_no_venue(text: str) -> None:
    assert venue_of(text) is None


def test_a_unit_knows_its_name() -> None:
    text = text_of(PLAIN)
    assert "systemctl edit backstage-site.service" in text
    assert settings_of(PLAIN)["SyslogIdentifier"] == "backstage-site"


def test_a_stop_that_drains_first_may_take_longer() -> None:
    plain, draining = settings_of(PLAIN), settings_of(dataclasses.replace(PLAIN, drain=2.5))
    assert plain["ExecStop"].endswith(" $MAINPID")
    assert plain["TimeoutStopSec"] == "45"
    assert draining["ExecStop"].endswith(" $MAINPID 2.5")
    assert draining["TimeoutStopSec"] == "47.5"
