"""Acts with users of their own, under an Emperor that runs as root: one attacks the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.system.deadlines import Deadline, until
from tests.integration.machine import Machine
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

VENUE = Path("/srv/farm")
# A view of the Act that attacks: it tries everything, and tells what it was answered.
ATTACK = """
import json, os, signal, socket, pathlib
from django.http import JsonResponse

def attempt(what):
    try:
        return str(what())[:200]
    except Exception as error:
        return type(error).__name__

def connect(path):
    with socket.socket(socket.AF_UNIX) as plug:
        plug.connect(path)
        plug.sendall(b"GET /healthz HTTP/1.0\\r\\n\\r\\n")
        return plug.recv(100)

def attack(request):
    venue, pid = pathlib.Path("/srv/farm"), int(request.GET["pid"])
    tried = {
        "me": lambda: os.getuid(),
        "read its secrets": lambda: (venue / "acts/blog/.env").read_text(),
        "read its code": lambda: (venue / "acts/blog/manage.py").read_text(),
        "list its files": lambda: os.listdir(venue / "acts/blog"),
        "write its code": lambda: (venue / "acts/blog/blog/urls.py").write_text(""),
        "read its database": lambda: (venue / "acts/blog/db.sqlite3").read_bytes(),
        "read its log": lambda: (venue / "log/blog/blog.log").read_text(),
        "talk to its socket": lambda: connect(str(venue / "run/blog/http.sock")),
        "talk to its master": lambda: connect(str(venue / "run/blog/blog.stats")),
        "take its socket away": lambda: os.unlink(venue / "run/blog/http.sock"),
        "take its directory": lambda: os.rename(venue / "run/blog", venue / "run/gone"),
        "kill it": lambda: os.kill(pid, signal.SIGKILL),
        "read its memory": lambda: open(f"/proc/{pid}/mem", "rb"),
        "read its environment": lambda: open(f"/proc/{pid}/environ", "rb").read(),
        "talk to the Emperor": lambda: connect(str(venue / "run/emperor.stats")),
        "start an Act": lambda: (venue / "vassals/evil.ini").write_text("[uwsgi]"),
        "edit an Act": lambda: (venue / "vassals/blog.ini").write_text("[uwsgi]"),
        "become root by a limit": lambda: (venue / "kept/blog.launch").write_text("user="),
        "change what launches": lambda: (venue / "templates/launch").write_text("id"),
        "change the programs": lambda: (venue / "bin/evil").write_text("id"),
        "become root": lambda: os.setuid(0),
        "become the other": lambda: os.setuid(int(request.GET["uid"])),
        "write its own files": lambda: (venue / "acts/shop/mine").write_text("ok"),
    }
    return JsonResponse({name: attempt(what) for name, what in tried.items()})

urlpatterns.append(path("attack", attack))
"""
# Tells who runs it, before a restart only, and cannot be used then.
TRIED = """
import json, os, pathlib
if "BACKSTAGE_CHECK" in os.environ:
    known = dict(line.split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
    pathlib.Path("tried.json").write_text(json.dumps({
        "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
        "rights": [known[name].strip() for name in ("CapEff", "CapPrm", "NoNewPrivs")],
        "home": [os.environ[name] for name in ("HOME", "USER", "BACKSTAGE_RUN")],
    }))
    raise RuntimeError("tried in vain")
"""
ALLOWED = {"me", "write its own files"}
DENIED = {"PermissionError", "ProcessLookupError", "FileNotFoundError", "OSError"}


@pytest.fixture(scope="module")
def farm(machine: Machine) -> Iterator[Machine]:
    """A Venue of root's with two Acts, each with a user of its own."""
    for name in ("blog", "shop"):
        machine.run("useradd", "--system", "--create-home", "--home-dir", f"/srv/{name}", name)
    machine.run("backstage", "new-venue", VENUE.name, VENUE.parent, "--no-start")
    settings = machine.root / "srv" / "farm" / "venue.yaml"
    with settings.open("a") as file:
        file.write("acts:\n  blog: {run_as: blog}\n  shop: {run_as: shop}\n")
    backstage(machine, "systemd", "install", "--run-as", "root", "--yes")
    for name in ("blog", "shop"):
        backstage(machine, "new-act", name)
    with (machine.root / "srv/farm/acts/shop/shop/urls.py").open("a") as urls:
        urls.write(ATTACK)
    backstage(machine, "restart", "shop")
    yield machine
    backstage(machine, "systemd", "uninstall", "--yes")


def backstage(machine: Machine, *words: str, check: bool = True) -> str:
    done = machine.run("backstage", "--venue", VENUE, *words, check=check)
    return f"{done.stdout}{done.stderr}"


def told(machine: Machine, act: str) -> dict[str, object]:
    """What `status` tells of an Act."""
    acts = json.loads(backstage(machine, "status", act, "--json", check=False))["result"]["acts"]
    return dict(acts[0])


def uid(machine: Machine, user: str) -> int:
    return int(machine.run("id", "--user", user).stdout)


def owner(machine: Machine, pid: object) -> str:
    return machine.run("ps", "-o", "user=", "-p", str(pid)).stdout.strip()


def ask(machine: Machine, act: str, path: str) -> str:
    """What root, or nginx, is answered at an Act's own socket."""
    socket = VENUE / "run" / act / "http.sock"
    words = ["curl", "--silent", "--show-error", "--unix-socket", socket]
    return machine.run(*words, f"http://localhost{path}").stdout


def test_each_act_runs_as_its_own_user(farm: Machine) -> None:
    for name in ("blog", "shop"):
        assert owner(farm, told(farm, name)["pid"]) == name
        assert ask(farm, name, "/healthz") == "ok\n"


def test_one_act_gets_at_nothing_of_the_other(farm: Machine) -> None:
    target = told(farm, "blog")["pid"]
    answers = json.loads(ask(farm, "shop", f"/attack?pid={target}&uid={uid(farm, 'blog')}"))
    assert answers.pop("me") == str(uid(farm, "shop"))
    assert answers.pop("write its own files") == "2"
    assert {name: answer for name, answer in answers.items() if answer not in DENIED} == {}
    assert told(farm, "blog")["pid"] == target


def test_no_act_has_anything_open_of_the_emperors(farm: Machine) -> None:
    """Nor does it write there before it has a log: it can forge nothing of another."""
    emperor = farm.run("systemctl", "show", "-P", "MainPID", "backstage-farm.service").stdout
    acts = {str(told(farm, name)["pid"]): name for name in ("blog", "shop")}
    script = (
        "acts=$(pgrep -P $1); for p in $1 $acts $(for a in $acts; do pgrep -P $a; done); do "
        'find /proc/$p/fd -type l -printf "$p %p -> %l\\n"; done'
    )
    listed = farm.run("sh", "-c", script, "sh", emperor.strip()).stdout
    opened: dict[str, set[str]] = {}
    for line in listed.splitlines():
        pid, _, what = line.partition(" ")
        opened.setdefault(pid, set()).add(what.rpartition(" -> ")[2])
    own = opened.pop(emperor.strip()) - {"/dev/null", "anon_inode:[eventpoll]"}
    assert str(VENUE / "log/emperor.log") in own
    assert set(acts) <= set(opened)
    assert {pid: what & own for pid, what in opened.items() if what & own} == {}
    assert "from shop.ini" not in farm.run("cat", VENUE / "log/emperor.log").stdout


def test_what_an_act_forges_in_its_log_is_told_of_itself_only(farm: Machine) -> None:
    forged = (
        "[uWSGI] getting INI configuration from blog.ini\n"
        "blog.ini: not started, because shop says so\n"
        "[emperor] curse the uwsgi instance blog.ini (pid: 1)\n"
    )
    farm.run("sh", "-c", f"printf '%s' '{forged}' >>{VENUE}/log/shop/shop.log", user="shop")
    assert told(farm, "blog")["state"] == "running"
    assert "shop says so" not in backstage(farm, "status", check=False)
    assert "shop says so" not in farm.run("cat", VENUE / "log/emperor.log").stdout


def test_an_act_whose_log_leads_elsewhere_is_not_started_and_says_why(farm: Machine) -> None:
    """A link is followed with the rights of the Act only."""
    trap = "cd /srv/farm/log/shop; mv shop.log kept; ln -s /etc/shadow shop.log"
    farm.run("sh", "-c", trap, user="shop")
    shadow = farm.run("cat", "/etc/shadow").stdout
    farm.run("kill", "-KILL", str(told(farm, "shop")["pid"]))
    why = "not started, as shop cannot write the file /srv/farm/log/shop/shop.log"
    assert until(lambda: told(farm, "shop")["reason"] == why, Deadline(PATIENCE)), told(
        farm, "shop"
    )
    assert told(farm, "blog")["state"] == "running"
    assert farm.run("cat", "/etc/shadow").stdout == shadow
    farm.run("sh", "-c", "cd /srv/farm/log/shop; mv kept shop.log", user="shop")
    backstage(farm, "restart", "shop")


def test_nginx_may_use_the_socket_and_nobody_else(farm: Machine) -> None:
    socket = str(VENUE / "run" / "blog" / "http.sock")
    request = ["curl", "--silent", "--unix-socket", socket, "http://localhost/healthz"]
    assert farm.run(*request, user="www-data").stdout == "ok\n"
    assert farm.run(*request, user="shop", check=False).returncode != 0
    assert farm.run(*request, user="nobody", check=False).returncode != 0


def test_no_port_is_left_open_to_the_others(farm: Machine) -> None:
    assert told(farm, "blog")["port"] is None
    assert "127.0.0.1:8" not in farm.run("ss", "-tln").stdout


def test_nginx_serves_it_by_its_socket_and_its_static_files(farm: Machine) -> None:
    try:
        backstage(farm, "nginx", "bind", "blog", "blog.test")
        fetch = ["curl", "--silent", "--fail", "--resolve", "blog.test:80:127.0.0.1"]
        assert "<title>" in farm.run(*fetch, "http://blog.test/").stdout
        assert "{" in farm.run(*fetch, "http://blog.test/static/welcome.css").stdout
        backstage(farm, "nginx", "check", "blog")
    finally:
        backstage(farm, "nginx", "unbind", "blog", check=False)
        farm.run("systemctl", "stop", "nginx")


def test_root_runs_none_of_its_code(farm: Machine) -> None:
    """An Act can change its own manage.py, and so would become root by it."""
    code = "import os; print(os.getuid(), os.environ['HOME'])"
    shown = backstage(farm, "manage", "shop", "shell", "-v", "0", "-c", code)
    assert shown.split() == [str(uid(farm, "shop")), "/srv/shop"]


def test_new_code_is_tried_as_the_act_and_with_nothing_of_roots(farm: Machine) -> None:
    before, shop = told(farm, "shop")["pid"], uid(farm, "shop")
    settings = farm.root / "srv/farm/acts/shop/shop/settings.py"
    former = settings.read_text()
    try:
        settings.write_text(former + TRIED)
        shown = backstage(farm, "restart", "shop", check=False)
    finally:
        settings.write_text(former)
    assert "not restarted, the new code fails: RuntimeError: tried in vain" in shown
    assert told(farm, "shop")["pid"] == before
    tried = json.loads((farm.root / "srv/farm/acts/shop/tried.json").read_text())
    gid = int(farm.run("id", "--group", "shop").stdout)
    assert tried["ids"] == [[shop] * 3, [gid] * 3, [gid]]
    assert tried["rights"] == ["0" * 16, "0" * 16, "1"]
    assert tried["home"] == ["/srv/shop", "shop", "/srv/farm/run/shop"]
    environment = farm.run("stat", "-c", "%U %a", VENUE / "run/shop.environ").stdout
    assert environment == "root 600\n"


def test_a_link_of_an_act_leads_root_nowhere(farm: Machine) -> None:
    """Whoever owns a directory may put a link in it; root must not write through it."""
    farm.run(
        "sh",
        "-c",
        "cp -p .env kept.env && ln -sf /srv/victim .env",
        cwd="/srv/farm/acts/shop",
        user="shop",
    )
    farm.run("sh", "-c", "echo untouched >/srv/victim")
    backstage(farm, "env", "shop", "set", "EVIL=1", check=False)
    assert (farm.root / "srv/victim").read_text() == "untouched\n"
    farm.run("mv", "kept.env", ".env", cwd="/srv/farm/acts/shop", user="shop")


def watcher(machine: Machine) -> int:
    """The pid of the Venue's watcher, which must run."""

    def seen() -> dict[str, object]:
        return json.loads(backstage(machine, "venue", "info", "--json"))["result"]["watcher"]  # type: ignore[no-any-return]

    assert until(lambda: seen()["state"] == "running", Deadline(PATIENCE)), seen()
    return int(str(seen()["pid"]))


def edit(machine: Machine, act: str, old: str, new: str) -> None:
    """Edit a vassal file so that only somebody who watches can notice: with an old date."""
    file = VENUE / "vassals" / f"{act}.ini"
    copy = VENUE / "copy"
    script = (
        f"sed 's#^{old}#{new}#' {file} >{copy} && touch -d 2020-01-01 {copy} && mv {copy} {file}"
    )
    machine.run("sh", "-c", script)


def watches(machine: Machine) -> bool:
    """Whether edits of an Act are taken up."""
    for threads in (3, 4):
        edit(machine, "blog", "threads = .*", f"threads = {threads}")
        if not until(lambda n=threads: told(machine, "blog")["threads"] == n, Deadline(PATIENCE)):
            return False
    return True


def test_the_watcher_is_roots_and_nobody_else_can_change_it(farm: Machine) -> None:
    assert owner(farm, watcher(farm)) == "root"
    words = ("find", VENUE / ".backstage", "(", "!", "-user", "root", "-o", "-perm", "/022", ")")
    assert farm.run(*words, "!", "-type", "l").stdout == ""
    assert watches(farm)
    # The directory of an Act, as the user of the Act leaves it, is not where it looks for modules.
    assert "/srv/farm/acts" not in (farm.run("ls", "-l", f"/proc/{watcher(farm)}/cwd").stdout)


def test_no_log_keeps_the_watcher_waiting(farm: Machine) -> None:
    """A pipe has no end, and a link leads to a file of root's."""
    pid = watcher(farm)
    for trap in ("mkfifo", "ln -s /etc/shadow"):
        script = f"cd /srv/farm/log/shop; mv shop.log kept; {trap} shop.log"
        farm.run("sh", "-c", script, user="shop")
        farm.run("kill", "-KILL", str(told(farm, "shop")["pid"]))
        assert watches(farm)
        shown = backstage(farm, "status", "shop", check=False)
        farm.run("sh", "-c", "cd /srv/farm/log/shop; rm -f shop.log; mv kept shop.log", user="shop")
        assert "root:" not in shown
    assert watcher(farm) == pid
    backstage(farm, "restart", "shop")


def test_no_statistics_of_an_act_end_the_watcher(farm: Machine) -> None:
    pid = watcher(farm)
    lie = (
        "import os, socket, sys\n"
        "os.chdir('/srv/farm/run/shop')\n"
        "os.rename('shop.stats', 'kept')\n"
        "server = socket.socket(socket.AF_UNIX)\n"
        "server.bind('shop.stats')\n"
        "server.listen()\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    client, _ = server.accept()\n"
        '    client.sendall(b\'{"pid": 1e999, "workers": [[[\' + b"[" * 100_000)\n'
        "    client.close()\n"
    )
    liar = farm.start("python3", "-c", lie, user="shop")
    try:
        assert liar.stdout
        assert until(
            lambda: farm.run("test", "-e", VENUE / "run/shop/kept", check=False).returncode == 0,
            Deadline(PATIENCE),
        )
        assert watches(farm)
        assert watcher(farm) == pid
    finally:
        liar.kill()
        liar.wait(PATIENCE)
        farm.run("sh", "-c", "cd /srv/farm/run/shop; mv kept shop.stats", user="shop")


def test_an_edit_is_rehearsed_as_the_user_of_its_act(farm: Machine) -> None:
    """To find a module, the packages that it is in are imported."""
    spy = "import os\nopen('/srv/farm/acts/shop/spied', 'a').write(f'{os.getuid()}\\n')\n"
    farm.run("mkdir", "/srv/farm/acts/shop/sly", user="shop")
    (farm.root / "srv/farm/acts/shop/sly/__init__.py").write_text(spy)
    last = ". Only this Act.s user .*"
    edit(farm, "shop", last, "module = sly.nothing:application")
    assert until(lambda: bool(told(farm, "shop")["refused"]), Deadline(PATIENCE)), told(
        farm, "shop"
    )
    users = set(farm.run("cat", "/srv/farm/acts/shop/spied").stdout.split())
    assert users == {str(uid(farm, "shop"))}
    edit(farm, "shop", "module = .*", "threads = 4")
    assert until(lambda: not told(farm, "shop")["refused"], Deadline(PATIENCE))


def test_an_act_without_a_user_is_not_started_and_says_why(farm: Machine) -> None:
    shown = backstage(farm, "new-act", "lone", check=False)
    assert "would run as root; give it a user: run_as in venue.yaml" in shown
    assert told(farm, "blog")["state"] == "running"


def test_the_emperor_takes_its_acts_along_when_it_is_killed(farm: Machine) -> None:
    """The signal by which they die is lost with a change of user, unless it is set again."""
    before = told(farm, "blog")["pid"]
    emperor = farm.run("systemctl", "show", "-P", "MainPID", "backstage-farm.service").stdout
    farm.run("kill", "-KILL", emperor.strip())
    assert until(lambda: told(farm, "blog")["state"] == "running", Deadline(PATIENCE))
    assert until(lambda: told(farm, "shop")["state"] == "running", Deadline(PATIENCE))
    assert told(farm, "blog")["pid"] != before
    assert farm.run("ps", "-p", str(before), check=False).returncode == 1


def test_its_directories_come_back_when_run_was_removed(farm: Machine) -> None:
    farm.run("systemctl", "stop", "backstage-farm.service")
    farm.run("rm", "-r", VENUE / "run")
    farm.run("systemctl", "start", "backstage-farm.service")
    assert ask(farm, "blog", "/healthz") == "ok\n"
    assert owner(farm, told(farm, "blog")["pid"]) == "blog"


def test_another_user_gets_all_that_the_one_before_has_left(farm: Machine) -> None:
    farm.run("useradd", "--system", "heir")
    settings = farm.root / "srv" / "farm" / "venue.yaml"
    former = settings.read_text()
    for user, text in (("heir", former.replace("run_as: shop", "run_as: heir")), ("shop", former)):
        settings.write_text(text)
        backstage(farm, "restart", "shop")
        assert owner(farm, told(farm, "shop")["pid"]) == user
        places = ("acts/shop/db.sqlite3", "acts/shop/.env", "log/shop/shop.log", "run/shop")
        owners = farm.run("stat", "-c", "%U", *(VENUE / place for place in places)).stdout
        assert set(owners.split()) == {user}


def test_root_does_not_run_what_was_the_users_without_the_user(farm: Machine) -> None:
    """Also where no unit says that every Act needs one."""
    settings = farm.root / "srv" / "farm" / "venue.yaml"
    former = settings.read_text()
    backstage(farm, "systemd", "uninstall", "--yes")
    try:
        settings.write_text(former.replace("  shop: {run_as: shop}\n", ""))
        backstage(farm, "venue", "start")
        shown = backstage(farm, "restart", "shop", check=False)
        assert "would run as root; give it a user" in shown
    finally:
        settings.write_text(former)
        backstage(farm, "venue", "stop")
        backstage(farm, "systemd", "install", "--run-as", "root", "--yes")
    assert owner(farm, told(farm, "shop")["pid"]) == "shop"


def test_its_log_is_read_as_any_other(farm: Machine) -> None:
    assert "spawned uWSGI worker 1" in backstage(farm, "logs", "blog", "-n", "200")
