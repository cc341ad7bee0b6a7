"""A shared Venue: what a member may do goes through the watcher, and the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backstage.act import Act
from backstage.errors import NotAllowed
from backstage.layout.paths import VenuePaths
from backstage.sharing.calls import Calls
from backstage.sharing.shared_act import SharedAct
from backstage.sharing.shared_venue import SharedVenue
from backstage.venue import Venue

# They only use what is answered or refused, or a path.
INHERITED = {
    Venue: {"path", "name", "events", "open"}
    | {"start_all_acts", "stop_all_acts", "restart_all_acts"},
    Act: {"name", "url"},
}
REFUSED: dict[str, Callable[[Any], object]] = {
    "settings": lambda venue: venue.settings,
    "emperor": lambda venue: venue.emperor,
    "examine": lambda venue: venue.examine(),
    "start": lambda venue: venue.start(),
    "stop": lambda venue: venue.stop(),
    "meant": lambda venue: venue.meant(None, None),
    "env": lambda venue: venue.act("blog").env,
    "vassal_text": lambda venue: venue.act("blog").vassal_text,
    "begin": lambda venue: venue.act("blog").begin(),
    "check": lambda venue: venue.act("blog").check(""),
    "rewrite": lambda venue: venue.act("blog").rewrite("", based_on=""),
    "retire": lambda venue: venue.act("blog").retire(),
    "manage": lambda venue: venue.act("blog").manage("check"),
    "manage_here": lambda venue: venue.act("blog").manage_here("check"),
}


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedVenue:
    """One that has not asked anything yet."""
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr(Calls, "overview", lambda _: None)
    return SharedVenue(VenuePaths(tmp_path))


@pytest.mark.parametrize(("whole", "part"), [(Venue, SharedVenue), (Act, SharedAct)])
def test_nothing_public_reaches_for_the_files(whole: type, part: type) -> None:
    """What a later version adds to a Venue or an Act is answered or refused here too."""
    public = {name for name in vars(whole) if not name.startswith("_")}
    assert public - vars(part).keys() == INHERITED[whole]


@pytest.mark.parametrize("name", REFUSED)
def test_what_members_may_not_do_says_what_to_type(shared: SharedVenue, name: str) -> None:
    with pytest.raises(NotAllowed, match=r"for status, top, .* only; type: sudo -u "):
        REFUSED[name](shared)
