"""What a type checker has to know of the public names; read by mypy, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import backstage
from backstage import (
    Act,
    BackstageError,
    Cause,
    EnvFile,
    Event,
    EventStream,
    Fate,
    Fault,
    Finding,
    Journal,
    LogLine,
    Outcome,
    Renewal,
    Replacement,
    Severity,
    Snapshot,
    State,
    Upgrade,
    Venue,
    Verb,
    new_act,
    new_venue,
    shortcuts,
    upgrade_venue,
    use_venue,
    venue_from_cwd,
)


def the_functions_return_what_they_say() -> None:
    venue = assert_type(new_venue("MyVenue", Path("/tmp"), start=False), Venue)
    assert_type(use_venue("/tmp/MyVenue"), Venue)
    assert_type(venue_from_cwd(), Venue)
    assert_type(new_act(venue, "MyAct", port=8001), Act)
    assert_type(shortcuts.new_act(venue, "MyAct"), Act)


def the_objects_lead_to_each_other(venue: Venue, act: Act) -> None:
    assert_type(venue["MyAct"], Act)
    assert_type(venue.acts, tuple[Act, ...])
    assert_type(next(iter(venue)), Act)
    assert_type(act.state, State)
    assert_type(act.get_uwsgi_port(), int)
    assert_type(act.snapshot(), Snapshot)
    assert_type(venue.snapshot(), tuple[Snapshot, ...])
    assert_type(act.snapshot().state, State)


def events_name_states(venue: Venue) -> None:
    stream = assert_type(venue.events(), EventStream)
    event = assert_type(next(stream), Event)
    assert_type(event.before, State)
    assert_type(event.after, State)
    assert_type(event.act, str)


def an_upgrade_tells_what_it_does(venue: Venue) -> None:
    made = assert_type(upgrade_venue(venue, dry_run=True), Upgrade)
    assert_type(made.files, tuple[Renewal, ...])
    assert_type(made.files[0].fate, Fate)
    assert made.emperor
    assert_type(made.emperor, Replacement)
    assert_type(made.emperor.causes, tuple[Cause, ...])


def what_a_venue_yields_has_a_public_type(venue: Venue, act: Act) -> None:
    journal = assert_type(venue.logs(follow=True), Journal)
    assert_type(next(journal), LogLine)
    finding = assert_type(next(venue.examine()), Finding)
    assert_type(finding.severity, Severity)
    outcome = assert_type(next(venue.each(Verb.START)), Outcome)
    assert_type(outcome.verb, Verb)
    assert_type(outcome.now.refused, Fault | None)
    assert_type(act.env, EnvFile)


def errors_have_one_root(error: BackstageError) -> Exception:
    return error


def what_is_wrong_is_refused(venue: Venue) -> None:
    print(backstage.no_such_name)  # type: ignore[attr-defined]
    new_act(venue, name=b"MyAct")  # type: ignore[arg-type]
    new_venue("MyVenue", pyhton="3.12")  # type: ignore[call-arg]
