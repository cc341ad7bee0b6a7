"""`backstage systemd` with a real systemd: what runs under a unit, and what a unit survives.

All of it happens in the machine. The tests share one Venue with its unit installed; each leaves it
as it was. The last ones reboot the machine and take the unit away.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from backstage.cli.exits import Exit
from backstage.system.seals import sealed
from tests.patience import PATIENCE

from .calling import call
from .machine import Machine

pytestmark = pytest.mark.slow

# So many at a time visit an Act that is under load.
VISITORS = 2
UNITS = "etc/systemd/system"
# Without what lies in an environment, it starts in half the time.
_PYTHON = (sys.executable, "-I", "-S", "-c")
_BACKSTAGE = ("backstage", "--venue")
_USERADD = ("useradd", "--system", "--create-home", "--shell", "/bin/bash")
# Every process that has its program, its working directory or one of its words in a Venue.
PEOPLE = """
import json, os, pwd, sys
top, found = sys.argv[1] + "/", []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        words = open(f"/proc/{pid}/cmdline").read().split("\\0")
        places = [os.readlink(f"/proc/{pid}/{name}") + "/" for name in ("cwd", "exe")]
        parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
        owner = pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name
    except OSError:
        continue
    if int(pid) != os.getpid() and any(text.startswith(top) for text in (*places, *words)):
        found.append({"pid": int(pid), "parent": int(parent), "user": owner, "words": words})
print(json.dumps(found))
"""
VISIT = """
import socket, sys
port, page = sys.argv[1:]
with socket.create_connection(("localhost", int(port)), timeout=60) as connection:
    connection.sendall(f"GET /{page} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n".encode())
    head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\\r\\n\\r\\n")
print(head.split()[1].decode(), body.decode())
"""
# Requests to each port until its standard input is closed, for a minute and 20,000 at the most;
# then what became of them.
LOAD = """
import collections, http.client, json, sys, threading, time
over, end = threading.Event(), time.monotonic() + 60
told = {port: collections.Counter() for port in sys.argv[1:]}
def visit(port, counter):
    for _ in range(10_000):
        if over.is_set() or time.monotonic() > end:
            return
        try:
            connection = http.client.HTTPConnection("localhost", int(port), timeout=20)
            connection.request("GET", "/pid")
            answer = connection.getresponse()
            answer.read()
            counter["ok" if answer.status == 200 else str(answer.status)] += 1
        except Exception as error:
            counter[repr(error)] += 1
        finally:
            connection.close()
        time.sleep(0.005)
visits = [each for each in told.items() for _ in range(VISITORS)]
threads = [threading.Thread(target=visit, args=each) for each in visits]
[thread.start() for thread in threads]
print("begun", flush=True)
sys.stdin.read()
over.set()
[thread.join() for thread in threads]
print(json.dumps(told))
"""
VIEWS = """
import os
import time
from pathlib import Path
from django.http import HttpResponse

def slow(request):
    Path(__file__).with_name("begun").touch()
    time.sleep(float(request.GET["s"]))
    return HttpResponse("to the end")

def eat(request):
    eaten = []
    while len(eaten) < 200:
        eaten.append(b"x" * 10_000_000)
    return HttpResponse("full")

def pid(request):
    return HttpResponse(os.getpid())

urlpatterns += [path("slow", slow), path("eat", eat), path("pid", pid)]
"""


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    user: str
    words: list[str]

    @property
    def watches(self) -> bool:
        """Whether it is the watcher, or the script that runs it."""
        return ".watcher.ini" in self.words or "-S" in self.words

    @property
    def is_emperor(self) -> bool:
        return self.words[0].startswith("backstage emperor")


@dataclass(frozen=True)
class House:
    """A Venue inside the machine, whose it is, and the unit that runs it."""

    machine: Machine
    path: Path
    owner: str
    unit: str
    own: bool = False

    def call(
        self, *words: str | Path, by: str | None = "", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run `backstage` on it, as its owner if nobody is named; None is root."""
        user = self.owner if by == "" else by
        done = self.machine.run("backstage", "--venue", self.path, *words, user=user, check=False)
        told = f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == code, told
        return done

    def ask(self, *words: str | Path, by: str | None = "") -> dict[str, object]:
        """The result of a command, as programs get it."""
        result = json.loads(self.call("--json", *words, by=by).stdout)["result"]
        assert isinstance(result, dict)
        return result

    def install(self, *words: str | Path, code: int = 0) -> str:
        by = self.owner if self.own else None
        done = self.call("systemd", "install", *self._own(), *words, by=by, code=code)
        return done.stdout + done.stderr

    def systemctl(self, *words: str, check: bool = True) -> str:
        user = self.owner if self.own else None
        command = ("systemctl", *self._own(), *words, self.unit)
        return self.machine.run(*command, user=user, check=check).stdout.strip()

    def told(self, name: str) -> str:
        return self.systemctl("show", "--value", f"--property={name}")

    @property
    def is_active(self) -> bool:
        return self.systemctl("is-active", check=False) == "active"

    @property
    def file(self) -> Path:
        """The unit, as the host sees it."""
        if self.own:
            return self.seen.parent / ".config/systemd/user" / self.unit
        return self.machine.root / UNITS / self.unit

    @property
    def seen(self) -> Path:
        """The Venue, as the host sees it."""
        return self.machine.root / self.path.relative_to("/")

    @property
    def people(self) -> list[Process]:
        said = self.machine.run(*_PYTHON, PEOPLE, self.path).stdout
        return [Process(**each) for each in json.loads(said)]

    @property
    def emperor(self) -> int:
        """The pid of its only Emperor; 0 where there is none."""
        found = [each.pid for each in self.people if each.is_emperor]
        assert len(found) <= 1
        return found[0] if found else 0

    @property
    def acts(self) -> list[str]:
        return sorted(file.stem for file in (self.seen / "vassals").glob("*.ini"))

    def port(self, act: str) -> str:
        lines = (self.seen / "kept" / f"{act}.ini").read_text().splitlines()
        address = next(line for line in lines if line.startswith("http-socket"))
        return address.rpartition(":")[2]

    def visit(self, act: str, page: str = "") -> subprocess.Popen[str]:
        """Ask for a page of an Act, and do not wait for it."""
        return self.machine.start(*_PYTHON, VISIT, self.port(act), page)

    def page(self, act: str, page: str = "pid") -> str:
        """What an Act answers; '' where it does not."""
        words = (*_PYTHON, VISIT, self.port(act), page)
        status, _, text = self.machine.run(*words, check=False).stdout.partition(" ")
        return text.strip() if status == "200" else ""

    @property
    def all_answer(self) -> bool:
        return all(self.page(act, "healthz") for act in self.acts)

    @contextmanager
    def load(self, *acts: str) -> Iterator[dict[str, dict[str, int]]]:
        """Visit Acts all the while; afterwards it tells of each what became of its requests."""
        told: dict[str, dict[str, int]] = {}
        ports = [self.port(act) for act in acts]
        process = self.machine.start(*_PYTHON, f"VISITORS = {VISITORS}\n{LOAD}", *ports)
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        yield told
        answers = json.loads(process.communicate(timeout=PATIENCE)[0])
        told.update({act: answers[port] for act, port in zip(acts, ports, strict=True)})

    def calm(self) -> None:
        """Make systemd forget how often it was started, and have it run as it should."""
        self.systemctl("reset-failed")
        if not self.is_active:
            self.systemctl("start")

    def _own(self) -> list[str]:
        return ["--user"] if self.own else []


@pytest.fixture(scope="module")
def house(machine: Machine) -> House:
    """A Venue with two Acts, which no unit runs yet."""
    machine.run(*_USERADD, "--home-dir", "/srv/shows", "shows")
    house = House(machine, Path("/srv/shows/site"), "shows", "backstage-site.service")
    machine.run("backstage", "new-venue", "site", "/srv/shows", user="shows")
    for name in ("blog", "shop"):
        house.call("new-act", name, "--no-start")
        with (house.seen / "acts" / name / name / "urls.py").open("a") as urls:
            urls.write(VIEWS)
        house.call("start", name)
    return house


@pytest.fixture
def bare(house: House) -> House:
    """It runs without a unit."""
    if house.file.exists():
        house.call("systemd", "uninstall", "--yes", by=None)
    house.call("venue", "start")
    return house


@pytest.fixture
def site(house: House) -> House:
    """A unit runs it, as it should."""
    if house.file.exists():
        house.calm()
    else:
        house.install("--yes")
    return house


def test_only_root_installs_units_of_the_machine(bare: House) -> None:
    before = bare.emperor
    told = bare.call("systemd", "install", "--yes", code=Exit.SYSTEM).stderr
    assert f"type: sudo backstage --venue {bare.path} systemd install" in told
    assert f"backstage --venue {bare.path} systemd install --user" in told
    assert _traces(bare) == []
    assert bare.emperor == before


@pytest.mark.parametrize(
    ("settings", "words", "code", "why"),
    [
        ("", ("--run-as", "nobody-such"), Exit.REFUSED, "nobody-such"),
        (
            "#\nlimits: {memory: much}\n",
            (),
            Exit.REFUSED,
            "venue.yaml, line 2: memory must be a size",
        ),
        ("acts: {blog: {run_as: shows}}\n", (), Exit.SYSTEM, "install with --run-as root"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_changes(
    bare: House, settings: str, words: tuple[str, ...], code: Exit, why: str
) -> None:
    file, before = bare.seen / "venue.yaml", bare.emperor
    good = file.read_text()
    file.write_text(settings)
    try:
        assert why in bare.install("--yes", *words, code=code)
    finally:
        file.write_text(good)
    assert _traces(bare) == []
    assert bare.emperor == before


def test_an_installation_that_fails_leaves_no_unit_and_the_emperor_of_before(bare: House) -> None:
    starter = bare.seen / "templates/emperor"
    good = starter.read_text()
    # The library's own Emperor does without it.
    starter.write_text("#!/bin/sh\necho broken on purpose\nexit 1\n")
    try:
        told = bare.install("--yes", code=Exit.SYSTEM)
    finally:
        starter.write_text(good)
    assert f"systemctl restart {bare.unit}` failed" in told
    assert _traces(bare) == []
    assert bare.emperor
    assert {each.user for each in bare.people} == {"shows"}
    assert until(lambda: bare.all_answer)


def test_install_takes_over_from_an_emperor_that_runs_and_returns_when_all_acts_answer(
    bare: House,
) -> None:
    """There are never two."""
    old = bare.emperor
    assert old
    wsgi = bare.seen / "acts/shop/shop/wsgi.py"
    good = wsgi.read_text()
    wsgi.write_text(f"import time\ntime.sleep(2)\n{good}")
    said = bare.install("--yes")
    # A request would be answered later too: their sockets are there before they are loaded.
    states = _states(bare)
    pages = [bare.page(act) for act in ("shop", "blog")]
    wsgi.write_text(good)
    assert states == {"blog": "running", "shop": "running"}
    assert all(pages)
    assert f"stop the running Emperor, pid {old}" in said
    assert f"{bare.unit} is installed, enabled and active" in said
    assert bare.emperor not in {0, old}
    assert bare.told("MainPID") == str(bare.emperor)


def test_the_unit_is_enabled_and_runs_everything_as_the_owner(site: House) -> None:
    assert site.is_active
    assert site.systemctl("is-enabled") == "enabled"
    people = site.people
    assert {each.user for each in people} == {"shows"}
    masters = [each for each in people if each.parent == site.emperor and not each.watches]
    assert len(masters) == 2
    assert until(lambda: len([each for each in site.people if each.watches]) == 2)
    # For uWSGI, the watcher is a vassal too.
    governed = f"The Emperor is governing {len(site.acts) + 1} vassals"
    assert until(lambda: governed in site.systemctl("status"))


def test_systemd_finds_nothing_wrong_with_the_unit(site: House) -> None:
    done = site.machine.run("systemd-analyze", "verify", f"/{UNITS}/{site.unit}", check=False)
    assert site.unit not in done.stdout + done.stderr


def test_what_a_service_does_not_need_is_taken_away(site: House) -> None:
    seen = site.ask("systemd", "status")
    assert float(str(seen["exposure"])) <= 2.0
    status = dict(
        line.split(":", 1)
        for line in site.machine.run("cat", f"/proc/{site.emperor}/status").stdout.splitlines()
    )
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapBnd"], 16) == 0


def test_all_commands_tell_of_the_same_emperor(site: House) -> None:
    status = site.call("status").stdout
    assert f"Emperor pid {site.emperor} " in status
    for words in (("systemd", "status"), ("venue", "info")):
        for by in ("shows", None):
            assert site.ask(*words, by=by)["emperor"] == site.emperor


def test_show_prints_the_unit_that_is_installed(site: House) -> None:
    assert site.call("systemd", "show").stdout == site.file.read_text()


def test_an_act_that_fails_keeps_no_unit_from_starting(site: House) -> None:
    """Nor does it delay it: what waits for the Acts ends well, and not when its time is up."""
    site.call("new-act", "broken", "--no-start")
    settings = site.seen / "acts/broken/broken/settings.py"
    settings.write_text("import no_such_module_anywhere\n")
    try:
        # Started by nobody but the Emperor itself.
        ini = site.path / "kept/broken.ini"
        site.machine.run("cp", ini, site.path / "vassals", user="shows")
        site.systemctl("restart")
        assert site.is_active
        assert site.page("blog")
        assert "status=0" in site.told("ExecStartPost")
        assert "not ready yet" not in (site.seen / "log/emperor.log").read_text()
    finally:
        site.call("retire", "broken", "--yes")


def test_root_stops_and_starts_the_venue_through_systemd(site: House) -> None:
    """And nothing in it becomes root's, also where a file has to be made anew."""
    site.call("venue", "stop", by=None)
    assert site.systemctl("is-active", check=False) == "inactive"
    assert not site.people
    site.machine.run("rm", "-f", site.path / "run/emperor.lock", site.path / "log/emperor.log")
    site.call("venue", "start", by=None)
    assert site.emperor
    assert until(lambda: site.is_active)
    assert site.told("MainPID") == str(site.emperor)
    assert site.all_answer
    site.call("venue", "stop", by=None)
    assert _owners(site) == {"shows"}


def test_root_writes_nothing_where_the_owner_has_put_a_link(site: House) -> None:
    """Whoever owns the Venue could have root write into any file of the machine otherwise."""
    names = ("log/emperor.log", "run/emperor.lock", "run/emperor.pid", ".emperor.lock")
    site.systemctl("stop")
    for name in names:
        goal = f"/etc/from-{Path(name).name}"
        site.machine.run("ln", "-sf", goal, site.path / name, user="shows")
    try:
        site.systemctl("start", check=False)
        site.call("venue", "stop", by=None)
        site.machine.run(*_BACKSTAGE, site.path, "venue", "start", check=False)
        site.machine.run(*_BACKSTAGE, site.path, "systemd", "install", "--yes", check=False)
        assert not list((site.machine.root / "etc").glob("from-*"))
    finally:
        site.systemctl("stop")
        site.machine.run("rm", *(site.path / name for name in names))
        site.systemctl("reset-failed")
        site.systemctl("start")


def test_the_owner_is_told_what_to_type_where_only_root_may(site: House) -> None:
    emperor = site.emperor
    told = site.call("venue", "stop", code=Exit.SYSTEM).stderr
    assert f"type: sudo systemctl stop {site.unit}" in told
    told = site.call("systemd", "uninstall", "--yes", code=Exit.SYSTEM).stderr
    assert f"type: sudo backstage --venue {site.path} systemd uninstall" in told
    assert site.emperor == emperor
    assert site.is_active
    assert site.all_answer


def test_no_second_emperor_is_started_while_the_unit_is_stopped(site: House) -> None:
    """Whoever may start the unit has it started instead; others are told what to type."""
    site.systemctl("stop")
    for words in (("start", "blog"), ("restart", "blog"), ("venue", "start")):
        done = site.call(*words, code=Exit.SYSTEM)
        assert f"sudo systemctl start {site.unit}" in done.stdout + done.stderr
        assert not site.people
    site.call("start", "blog", by=None)
    assert site.page("blog")
    assert site.told("MainPID") == str(site.emperor)


@pytest.mark.parametrize("by", ["shows", None])
def test_acts_are_stopped_started_and_restarted_as_ever(site: House, by: str | None) -> None:
    emperor, before = site.emperor, site.page("blog")
    site.call("stop", "blog", by=by)
    assert not site.page("blog")
    assert site.page("shop")
    site.call("start", "blog", by=by)
    started = site.page("blog")
    site.call("restart", "blog", by=by)
    assert len({before, started, site.page("blog")}) == 3
    assert site.emperor == emperor
    assert _owners(site) == {"shows"}


def test_what_root_makes_is_the_owners(site: House) -> None:
    site.call("new-act", "gift", by=None)
    try:
        assert site.page("gift", "healthz")
        assert _owners(site) == {"shows"}
        assert {each.user for each in site.people} == {"shows"}
    finally:
        site.call("retire", "gift", "--yes", by=None)
    assert _owners(site) == {"shows"}


def test_events_are_told_whoever_runs_the_emperor(site: House) -> None:
    """As with plain files: removing one stops an Act, putting it back starts it."""
    stream = site.machine.start(
        *("backstage", "--venue", site.path, "events", "blog", "--json", "--timeout", "30"),
        user="shows",
    )
    assert stream.stdout
    vassal = site.path / "vassals/blog.ini"
    aside = site.path / "blog.aside"
    try:
        assert until(lambda: _has_open(site, "backstage", "inotify"))
        site.machine.run("mv", vassal, aside, user="shows")
        _await_state(stream, "stopped")
        site.machine.run("mv", aside, vassal, user="shows")
        _await_state(stream, "running")
    finally:
        site.machine.run("mv", "-n", aside, vassal, user="shows", check=False)
        stream.kill()
    assert site.page("blog")


def test_a_reload_loses_no_request(site: House) -> None:
    before = {act: site.page(act) for act in ("blog", "shop")}
    emperor = site.emperor
    with site.load("blog", "shop") as told:
        site.systemctl("reload")
        for act, worker in before.items():
            assert until(partial(_is_another, site, act, worker))
    for act in before:
        assert told[act].keys() == {"ok"}, told
    assert site.emperor == emperor


@pytest.mark.parametrize("verb", ["restart", "stop"])
def test_a_request_under_way_is_answered_to_its_end(site: House, verb: str) -> None:
    begun = site.seen / "acts/blog/blog/begun"
    begun.unlink(missing_ok=True)
    visit = site.visit("blog", "slow?s=3")
    assert until(begun.exists)
    site.systemctl(verb)
    assert visit.communicate(timeout=PATIENCE)[0] == "200 to the end\n"
    assert site.told("Result") == "success"
    assert bool(site.people) == (verb == "restart")


def test_a_killed_emperor_is_back_by_itself_with_every_act(site: House) -> None:
    site.systemctl("restart")
    old = site.emperor
    site.machine.run("kill", "-9", str(old))
    assert until(lambda: site.emperor not in {0, old} and site.is_active)
    assert until(lambda: site.all_answer)
    assert site.told("MainPID") == str(site.emperor)
    people = [each for each in site.people if not each.watches]
    masters = [each for each in people if each.parent == site.emperor]
    workers = [each for each in people if each.parent in {each.pid for each in masters}]
    assert len(masters) == len(workers) == 2
    assert len(people) == 5
    assert site.told("NRestarts") == "1"


def test_a_killed_worker_is_no_trouble_of_other_acts(site: House) -> None:
    main, worker = site.told("MainPID"), site.page("shop")
    with site.load("blog") as told:
        site.machine.run("kill", "-9", worker)
        assert until(lambda: site.page("shop") not in {"", worker})
    assert told["blog"].keys() == {"ok"}, told
    assert site.is_active
    assert site.told("MainPID") == main


def test_a_repaired_emperor_starts_without_waiting(site: House) -> None:
    """systemd gives up on one that does not start; a start by hand is tried all the same."""
    ini = site.seen / "emperor.ini"
    good = ini.read_text()
    ini.write_text(good + "no-such-option = true\n")
    site.systemctl("stop")
    try:
        site.systemctl("start", "--no-block")
        assert until(lambda: site.told("Result") == "start-limit-hit" or _gave_up(site))
    finally:
        ini.write_text(good)
    site.call("venue", "start", by=None)
    assert until(lambda: site.all_answer)
    assert until(lambda: site.is_active)


@pytest.fixture(scope="class")
def tuned(house: House) -> Iterator[None]:
    """All that venue.yaml may say of a unit, in one installation, as each takes seconds."""
    file = house.seen / "venue.yaml"
    before = file.read_text()
    if not house.file.exists():
        house.install("--yes")
    file.write_text("limits: {memory: 250M, cpu: 150%, tasks: 200}\nlogs: journal\n")
    hint = "venue.yaml has changed"
    assert hint in house.call("systemd", "status").stderr
    house.install("--yes")
    assert hint not in house.call("systemd", "status").stderr
    yield
    file.write_text(before)
    house.install("--yes")
    assert house.told("MemoryMax") == "infinity"


@pytest.mark.usefixtures("tuned")
class TestSettingsOfTheVenue:
    """What venue.yaml says of units counts once one has installed again, as one is told."""

    def test_its_limits_are_the_units(self, site: House) -> None:
        assert site.told("MemoryMax") == str(250 * 1024**2)
        assert site.told("CPUQuotaPerSecUSec") == "1.500000s"
        assert site.told("TasksMax") == "200"

    def test_what_eats_all_memory_is_ended_and_the_rest_goes_on(self, site: House) -> None:
        """The kernel may take a second process before the first one has given its memory back.

        Then what that one is answering is lost, and nothing else.
        """
        main, worker = site.told("MainPID"), site.page("shop")
        with site.load("blog") as told:
            assert not site.page("shop", "eat")
            assert until(lambda: site.page("shop") not in {"", worker})
            assert until(lambda: site.page("blog") != "")
        assert told["blog"].pop("ok")
        assert sum(told["blog"].values()) <= VISITORS, told
        assert not [error for error in told["blog"] if "refused" in error], told
        assert site.told("MainPID") == main
        assert site.is_active

    def test_logs_are_in_the_journal_too(self, site: House) -> None:
        """And still where the library reads them, each line once."""
        assert site.page("blog", "pid?mark=journal")
        journal = partial(_journal, site.machine)
        assert until(lambda: "mark=journal" in journal("--identifier=blog"))
        assert until(lambda: "blog.ini" in journal("--identifier=emperor"))
        unit = journal(f"--unit={site.unit}")
        assert "blog.ini" in unit
        assert f"Started {site.unit}" in unit
        assert unit.count("mark=journal") == 1
        assert journal("--identifier=blog").count("mark=journal") == 1
        assert site.call("logs", "blog").stdout.count("mark=journal") == 1


def test_without_the_journal_logs_are_files_alone(site: House) -> None:
    assert site.page("blog", "pid?mark=files")
    assert site.call("logs", "blog").stdout.count("mark=files") == 1
    assert "mark=files" not in _journal(site.machine, "--identifier=blog")


def test_edits_are_replaced_only_if_one_says_so_and_drop_ins_never(site: House) -> None:
    good = site.file.read_text()
    edited = good.replace("RestartSec=100ms", "RestartSec=5s")
    drop_in = f"/{UNITS}/{site.unit}.d/override.conf"
    emperor = site.emperor
    site.file.write_text(edited)
    site.machine.run("mkdir", "-p", str(Path(drop_in).parent))
    site.machine.run("tee", drop_in, stdin="[Service]\nTimeoutStopSec=44\n")
    try:
        told = site.install(code=Exit.SYSTEM)
        assert "was edited" in told
        assert re.search(rf"--venue {site.path} systemd install( --user)? --yes", told)
        assert f"systemctl edit {site.unit}" in told
        assert (site.file.read_text(), site.emperor) == (edited, emperor)
        assert ", edited" in site.call("systemd", "status").stdout
        site.install("--yes")
        assert site.file.read_text() == good
        assert (site.told("RestartUSec"), site.told("TimeoutStopUSec")) == ("100ms", "44s")
        status = site.call("systemd", "status").stdout
        assert drop_in in status
        assert ", edited" not in status
    finally:
        site.file.write_text(good)
        site.machine.run("rm", "-r", str(Path(drop_in).parent))
        site.machine.run("systemctl", "daemon-reload")


def test_an_upgrade_renews_the_unit_and_waits_for_root_and_to_restart_it(site: House) -> None:
    """The owner is told what to type; root does it, and restarts the Emperor only when told."""
    good, emperor = site.file.read_text(), site.emperor
    body = good.partition("\n")[2].replace("RestartSec=100ms", "RestartSec=200ms")
    site.file.write_text(sealed(body))
    ini = site.seen / "emperor.ini"
    record = site.seen / ".backstage" / "shipped.json"
    told = json.loads(record.read_text())
    earlier = f"{ini.read_text()}# Of an earlier version.\n"
    told["texts"]["emperor.ini"] = [earlier]
    record.write_text(json.dumps(told))
    ini.write_text(earlier)
    by_owner = site.ask("upgrade", by=site.owner)
    commands = {each["file"]: each["command"] for each in by_owner["files"]}  # type: ignore[attr-defined]
    assert commands["emperor.ini"] == "backstage upgrade --restart-emperor"
    assert commands[f"/{UNITS}/{site.unit}"].startswith("sudo ")
    assert site.file.read_text() != good
    site.call("upgrade", "--restart-emperor", by=site.owner, code=Exit.SYSTEM)
    by_root = site.ask("upgrade", by=None)
    assert {each["fate"] for each in by_root["files"]} == {"renewed", "waits"}  # type: ignore[attr-defined]
    assert (site.file.read_text(), site.emperor) == (good, emperor)
    site.call("upgrade", "--restart-emperor", by=None)
    assert site.emperor not in {0, emperor}
    assert site.is_active
    assert site.all_answer
    assert ini.read_text() != earlier
    assert ini.stat().st_uid == site.seen.stat().st_uid
    assert not site.ask("upgrade", by=None)["changes"]


def test_a_venue_that_was_moved_takes_its_unit_along(site: House) -> None:
    """There and back; only root may stop the unit, and the operator's own settings stay."""
    drop_ins = site.file.with_name(f"{site.unit}.d")
    drop_ins.mkdir()
    (drop_ins / "mine.conf").write_text("[Service]\nEnvironment=MINE=yes\n")
    there = House(site.machine, site.path.with_name("gone"), site.owner, "backstage-gone.service")
    for before, after in ((site, there), (there, site)):
        ran = before.emperor
        assert ran
        before.machine.run("mv", before.path, after.path)
        assert f"was moved from {before.path}" in after.call("status", code=Exit.NOT_THERE).stderr
        told = after.call("relocate", code=Exit.SYSTEM).stderr
        assert f"type: sudo backstage --venue {after.path} relocate" in told
        assert f"/{before.unit}" not in told
        assert "restarted" in after.call("relocate", by=None).stdout
        # It is active when every Act answers.
        assert until(lambda house=after: house.is_active)
        assert _traces(before) == []
        assert f"WorkingDirectory={after.path}\n" in after.file.read_text()
        assert after.told("UnitFileState") == "enabled"
        assert (after.file.with_name(f"{after.unit}.d") / "mine.conf").exists()
        assert until(lambda house=after: house.all_answer)
        assert after.emperor not in {0, ran}
        assert _owners(after) == {after.owner}
        assert "nothing to do" in after.call("relocate", by=None).stdout
    (drop_ins / "mine.conf").unlink()
    drop_ins.rmdir()
    site.machine.run("systemctl", "daemon-reload")


def test_an_installation_that_fails_changes_nothing_that_ran(site: House) -> None:
    """With a unit that runs already, what it runs by and whether it runs stay as they were."""
    ini, settings = site.seen / "emperor.ini", site.seen / "venue.yaml"
    good, before = ini.read_text(), site.file.read_text()
    was = settings.read_text()
    settings.write_text("limits: {tasks: 300}\n")
    ini.write_text(good + "no-such-option = true\n")
    try:
        told = site.install("--yes", code=Exit.SYSTEM)
        assert "no-such-option" in told or "journalctl" in told or site.unit in told
        assert site.file.read_text() == before
    finally:
        ini.write_text(good)
        settings.write_text(was)
    assert site.told("TasksMax") != "300"


@pytest.fixture(scope="module")
def closed(house: House) -> House:
    """A Venue of root's, of the same name, in a directory that only root enters."""
    machine, place = house.machine, Path("/srv/closed house")
    machine.run("mkdir", "--mode=700", place)
    machine.run("backstage", "new-venue", "site", place, "--no-start")
    return House(machine, place / "site", "shows", "backstage-srv-closed_house-site.service")


def test_a_venue_of_roots_needs_somebody_else_to_run_as(closed: House) -> None:
    before = _files(closed)
    assert "--run-as NAME" in closed.install("--yes", code=Exit.SYSTEM)
    assert not closed.file.exists()
    assert _files(closed) == before


def test_who_cannot_enter_the_venue_cannot_run_it(closed: House) -> None:
    before = _files(closed)
    told = closed.install("--yes", "--run-as", "shows", code=Exit.SYSTEM)
    assert "shows cannot run" in told
    assert "a directory that everybody can enter" in told
    assert not closed.file.exists()
    assert _files(closed) == before


def test_venues_of_one_name_get_units_of_different_names(site: House, closed: House) -> None:
    """And a Venue gets its new owner with all that is in it."""
    closed.machine.run("chmod", "755", "/srv/closed house")
    closed.install("--yes", "--run-as", "shows")
    assert closed.is_active
    assert closed.emperor
    assert {each.user for each in closed.people} == {"shows"}
    closed.call("venue", "stop", by=None)
    closed.call("venue", "start", by=None)
    assert until(lambda: closed.is_active)
    assert _owners(closed) == {"shows"}
    assert site.is_active
    assert len({site.emperor, closed.emperor}) == 2
    closed.call("systemd", "uninstall", "--yes", by=None)
    assert _traces(closed) == []
    assert site.is_active


def test_where_no_systemd_runs_nothing_is_written(tmp_path: Path) -> None:
    if Path("/run/systemd/system").exists():
        pytest.skip("systemd runs this host")
    assert call("new-venue", "bare", "--no-start", cwd=tmp_path).returncode == 0
    for words in (("--user",), ("--run-as", "nobody")):
        done = call("systemd", "install", "--yes", *words, cwd=tmp_path / "bare")
        assert done.returncode == Exit.SYSTEM
        assert f"type: backstage --venue {tmp_path / 'bare'} venue start" in done.stderr
    assert not list(Path("/etc/systemd/system").glob("backstage-*"))


@pytest.fixture(scope="module")
def solo(machine: Machine) -> House:
    """A Venue of somebody who has no systemd of their own running yet."""
    machine.run("useradd", "--create-home", "--home-dir", "/srv/solo", "solo")
    machine.run("backstage", "new-venue", "mine", "/srv/solo", user="solo")
    house = House(machine, Path("/srv/solo/mine"), "solo", "backstage-mine.service", own=True)
    house.call("new-act", "diary")
    return house


@pytest.fixture
def duo(solo: House) -> House:
    """The same, with a unit of their own that runs also while they are logged out."""
    solo.machine.linger("solo")
    if not solo.file.exists():
        solo.install("--yes")
    solo.calm()
    return solo


def test_who_has_no_systemd_running_is_told_how_to_get_one(solo: House) -> None:
    """And all is as before."""
    before = solo.emperor
    told = solo.install("--yes", code=Exit.SYSTEM)
    assert "sudo loginctl enable-linger solo" in told
    assert not solo.file.exists()
    assert solo.emperor
    assert before
    assert until(lambda: solo.page("diary", "healthz") != "")


def test_what_ends_with_a_log_out_is_told(solo: House) -> None:
    uid = solo.machine.run("id", "--user", "solo").stdout.strip()
    solo.machine.run("systemctl", "start", f"user@{uid}.service")
    hint = "sudo loginctl enable-linger solo"
    assert hint in solo.install("--yes")
    assert hint in solo.call("systemd", "status").stderr
    solo.machine.linger("solo")
    assert hint not in solo.call("systemd", "status").stderr


def test_a_unit_of_ones_own_needs_no_root(duo: House) -> None:
    assert duo.is_active
    assert duo.systemctl("is-enabled") == "enabled"
    assert duo.page("diary", "healthz")
    assert duo.told("MainPID") == str(duo.emperor)
    assert {each.user for each in duo.people} == {"solo"}
    duo.call("venue", "stop")
    assert duo.systemctl("is-active", check=False) == "inactive"
    assert not duo.people
    duo.call("venue", "start")
    assert duo.told("MainPID") == str(duo.emperor)
    assert until(lambda: duo.page("diary", "healthz") != "")
    emperor = duo.emperor
    duo.call("restart", "diary")
    assert duo.emperor == emperor


def test_everything_is_back_after_a_reboot(site: House, duo: House) -> None:
    """What was stopped stays stopped, and the journal goes back to before."""
    site.call("stop", "shop")
    boot = _journal(site.machine, f"--unit={site.unit}").splitlines()
    assert boot
    site.machine.reboot()
    assert until(lambda: site.is_active and duo.is_active)
    assert until(lambda: duo.page("diary", "healthz") != "")
    assert site.page("blog")
    assert not site.page("shop")
    assert _states(site) == {"blog": "running", "shop": "stopped"}
    assert _journal(site.machine, f"--unit={site.unit}").splitlines()[: len(boot)] == boot
    site.call("start", "shop")


def test_uninstalling_leaves_no_trace_and_the_venue_as_it_was(site: House, duo: House) -> None:
    for house in (site, duo):
        by = None if house is site else "solo"
        before = _files(house)
        told = house.call("systemd", "uninstall", "--yes", by=by)
        assert f"{house.unit} is stopped and removed" in told.stdout
        assert "backstage venue start" in told.stderr
        assert _traces(house) == []
        assert not house.people
        assert _files(house) == before
        assert "no unit runs" in house.call("systemd", "status", code=Exit.SYSTEM).stderr
        house.call("systemd", "uninstall", "--yes", by=by, code=Exit.SYSTEM)
    site.call("venue", "start")
    assert until(lambda: site.all_answer)
    site.call("venue", "stop")
    assert not site.people


def until(done: Callable[[], object]) -> bool:
    """Wait for a condition; False where it does not come."""
    end = time.monotonic() + PATIENCE
    while not (found := bool(done())) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _states(house: House) -> dict[str, str]:
    acts = house.ask("status")["acts"]
    assert isinstance(acts, list)
    return {act["name"]: act["state"] for act in acts}


def _owners(house: House) -> set[str]:
    """Whose the files of a Venue are, but for the environment, which nothing here changes."""
    names = ("acts", "vassals", "kept", "run", "log", "retired")
    places = [house.path / name for name in names if (house.seen / name).exists()]
    said = house.machine.run("find", house.path, *places, "-printf", "%u\\n").stdout
    return set(said.split())


def _files(house: House) -> Mapping[str, tuple[int, int, int]]:
    """The files of a Venue with their owners and permissions, less what only runs."""
    found = {}
    for top, directories, names in os.walk(house.seen):
        directories[:] = [name for name in directories if name not in {"run", "log", "__pycache__"}]
        for name in (*directories, *names):
            path = Path(top, name)
            facts = path.lstat()
            found[str(path.relative_to(house.seen))] = (facts.st_uid, facts.st_gid, facts.st_mode)
    return found


def _traces(house: House) -> list[str]:
    """What systemd has of a unit, on disk and in memory."""
    places = house.file.parent.rglob(f"{house.unit}*")
    known = house.systemctl("list-units", "--all", "--plain", "--no-legend", check=False)
    loaded = house.told("LoadState")
    return [
        *map(str, places),
        *filter(None, known.splitlines()),
        *([] if loaded == "not-found" else [loaded]),
    ]


def _is_another(house: House, act: str, worker: str) -> bool:
    """Whether an Act answers by another worker."""
    return house.page(act) not in {"", worker}


def _gave_up(house: House) -> bool:
    return house.told("ActiveState") == "failed"


def _journal(machine: Machine, *words: str) -> str:
    return machine.run("journalctl", "--quiet", "--no-pager", *words, check=False).stdout


def _has_open(house: House, program: str, kind: str) -> bool:
    """Whether an owner's process with `program` among its words has a descriptor of a kind."""
    script = (
        'for pid in $(pgrep --euid "$1" --full "$2"); do'
        ' ls -l "/proc/$pid/fd" | grep --quiet "$3" && exit; done; exit 1'
    )
    words = ("sh", "-c", script, "sh", house.owner, f"{program}.*events", kind)
    return house.machine.run(*words, check=False).returncode == 0


def _await_state(stream: subprocess.Popen[str], state: str) -> None:
    assert stream.stdout
    for line in stream.stdout:
        if json.loads(line)["result"]["after"] == state:
            return
    raise AssertionError(f"{state} is not told")
