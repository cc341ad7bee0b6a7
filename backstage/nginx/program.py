"""The nginx of this host: where its configuration is, whether it runs, and having it read anew."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ..errors import NotAllowed, PortUnavailable, SiteRefused
from ..system import processes, programs, sockets, users
from ..system.deadlines import Deadline, until
from . import config_parser, site
from .build import Build, build_of, which
from .site import Listening
from .sites_directory import Place

# For an nginx that is not the system's own: its nginx.conf, and the ports for http and https.
CONFIGURATION = "BACKSTAGE_NGINX_CONF"
PORTS = "BACKSTAGE_NGINX_PORTS"
_STATE = Path("/var/lib/backstage")
_SYSTEMD = Path("/run/systemd/system")
_UNIT = "nginx.service"
_PATIENCE = 15.0
_EVERYWHERE = ("0.0.0.0", "::")
_INSTALL = "nginx is not installed; type: apt install nginx"
_HTTP2_DIRECTIVE, _REJECT_HANDSHAKE = (1, 25, 1), (1, 19, 4)
_RETIRING = "shutting down"
_TRYING, _GIVEN_UP = "bind() to ", "still could not bind()"
# Prints the first of the directories, from the root on, that cannot be entered.
_ENTER = 'for each; do test -x "$each" || { echo "$each"; exit; }; done'
# Directories of sites by what includes them, the first found being used.
_LAYOUTS = ("sites-enabled/*", "sites-enabled/*.conf", "conf.d/*.conf")


@dataclass(frozen=True)
class Nginx:
    """An nginx by its program and its nginx.conf.

    `state` is our own directory: the page for an Act that is away, and what certbot shows.
    """

    program: Path
    conf: Path
    state: Path = _STATE
    http_port: int = 80
    https_port: int = 443
    letsencrypt: Path = Path("/etc/letsencrypt")

    @property
    def command(self) -> str:
        """How its program is called for this configuration, to be typed."""
        return "nginx" if self._is_system else f"nginx -c {self.conf}"

    @property
    def start_command(self) -> str:
        """How it is started, to be typed."""
        return "systemctl start nginx" if self._has_unit() else self.command

    @property
    def reload_command(self) -> str:
        """How it is told to read its configuration and certificates, to be typed."""
        return "systemctl reload nginx" if self._has_unit() else f"{self.command} -s reload"

    @property
    def pages(self) -> Path:
        return self.state / "pages"

    @property
    def challenges(self) -> Path:
        return self.state / "acme"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def build(self) -> Build:
        return build_of(self.program)

    @property
    def rejects_handshakes(self) -> bool:
        """Whether it can turn away who asks for an unknown name, without a certificate."""
        return self.build.version >= _REJECT_HANDSHAKE

    @property
    def pid_file(self) -> Path:
        return self._main("pid", self.build.pid)

    @property
    def error_log(self) -> Path:
        return self._main("error_log", self.build.error_log)

    @property
    def pid(self) -> int | None:
        """The pid of its master process; None while it does not run."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        is_nginx = processes.alive(pid) and processes.describe(pid).startswith("nginx ")
        return pid if is_nginx else None

    @property
    def uid(self) -> int:
        """The user that reads the files which it serves."""
        master = self.pid
        owner = Path(f"/proc/{master}").stat().st_uid if master else os.geteuid()
        if owner != users.ROOT:
            return owner
        named = self._words("user") or [self.build.user]
        return users.by_name(named[0]).pw_uid

    @property
    def user(self) -> str:
        """The name of that user."""
        return users.name_of(self.uid)

    @property
    def knows_its_user(self) -> bool:
        """Whether we can try what its user may read."""
        return users.am_root() or self.uid == os.geteuid()

    @property
    def is_ours(self) -> bool:
        """Whether we may change its configuration and have it read anew."""
        master = self.pid
        signals = master is None or Path(f"/proc/{master}").stat().st_uid == os.geteuid()
        return users.am_root() or (signals and os.access(self.conf.parent, os.W_OK))

    def refuse_foreign(self, *words: str) -> None:
        """Raise NotAllowed where only root may do what these words of the command mean."""
        if not self.is_ours:
            what = f"{users.mine()} may not change what nginx serves ({self.conf.parent})"
            raise NotAllowed(f"{what}; type: {users.root_command(*words)}")

    def origin(self, name: str, *, tls: bool) -> str:
        """How a browser writes the beginning of a URL of a site here."""
        return site.origin(name, self.https_port if tls else self.http_port, tls=tls)

    def listening(self, files: Mapping[str, str]) -> Listening:
        """What sites stand on here, beside those in the files of its configuration."""
        both = {port for each in config_parser.servers(files) for port in each.takes_ipv4}
        both &= {str(self.http_port), str(self.https_port)}
        return Listening(
            http_port=self.http_port,
            https_port=self.https_port,
            ipv4=not both,
            ipv6=_has_ipv6(),
            http2="directive" if self.build.version >= _HTTP2_DIRECTIVE else "listen",
            pages=str(self.pages),
            challenges=str(self.challenges),
        )

    def files(self) -> dict[str, str]:
        """The files of its configuration with their text. Raises SiteRefused if it is at fault."""
        is_fit, said = self._run("-T", "-q")
        if not is_fit:
            raise SiteRefused("nginx cannot use its configuration as it is; mend that first", said)
        return config_parser.files_of(said)

    def fault(self, conf: Path | None = None) -> str:
        """What nginx says of its configuration if it cannot use it, or of another one; '' if so."""
        is_fit, said = self._run("-t", "-q", conf=conf)
        return "" if is_fit else said.strip()

    def fault_of(self, texts: Mapping[str, str]) -> str:
        """What nginx says if it cannot use these files, by their names, alone; '' where it can."""
        with tempfile.TemporaryDirectory(prefix="backstage-nginx-") as name:
            trial = Path(name)
            for file, text in texts.items():
                (trial / file).write_text(text)
            (trial / "nginx.conf").write_text(_minimal(trial, texts))
            return self.fault(trial / "nginx.conf").replace(f"{trial}/", "")

    def place(self) -> Place:
        """Where its configuration has a directory for sites. Raises SiteRefused for none."""
        includes = [
            word for each in config_parser.find({"": self._conf}, "include") for word in each.words
        ]
        for ending in _LAYOUTS:
            for word in includes:
                if f"/{word}".endswith(f"/{ending}"):
                    return Place((self.conf.parent / word).parent)
        raise SiteRefused(
            f"{self.conf} includes no directory of sites; write into its http block: "
            f"include {self.conf.parent}/conf.d/*.conf;"
        )

    def refuse_taken_port(self, port: int, files: Mapping[str, str]) -> None:
        """Raise PortUnavailable where another program listens at a port that a site needs.

        `files` are those of the configuration that nginx has now: what it listens at is its own.
        """
        has_it = any(str(port) in server.ports for server in config_parser.servers(files))
        if (self.pid and has_it) or not any(sockets.in_use(port, host) for host in _EVERYWHERE):
            return
        holder = sockets.listener(port)
        if holder is None and users.am_root():
            # Only a connection under way has that port; whoever listens root would see.
            return
        if self.pid and any(member.pid == holder for member in processes.family(self.pid)):
            # A site of its own was taken out of the configuration, but not yet out of nginx.
            return
        name = processes.describe(holder) if holder else "another program"
        what = f"port {port}, at which nginx is to listen, is taken by {name}"
        raise PortUnavailable(f"{what}; stop that, or let it pass requests on", port, name)

    def can(self, test: str, path: Path) -> bool:
        """Whether its user may: `-r` read, `-w` write, `-x` enter what is at a path."""
        return self._as_user("test", test, path).returncode == 0

    def barrier(self, path: Path) -> str:
        """What to type so that its user can read all that is at a path; '' where it can."""
        present = next(each for each in (path, *path.parents) if each.exists())
        if remedy := self.barrier_to(present if present.is_dir() else present.parent):
            return remedy
        if present != path:
            return ""
        done = self._as_user("find", path, "-maxdepth", "4", "!", "-readable", "-print", "-quit")
        return f"chmod -R o+rX {quote(str(path))}" if done.stdout.strip() else ""

    def barrier_to(self, directory: Path) -> str:
        """What to type so that its user can come into a directory; '' where it can."""
        done = self._as_user("sh", "-c", _ENTER, "sh", *reversed([directory, *directory.parents]))
        closed = done.stdout.strip()
        return f"chmod o+x {quote(closed)}" if closed else ""

    def reload(self, answering: tuple[int, ...]) -> None:
        """Have it read its configuration, and return when that is what it answers by.

        Raises SiteRefused, with its words, where it goes on with the old one.
        """
        master = self.pid
        if master is None:
            return
        mark = _size(self.error_log)
        moment = processes.boot_clock()
        self._tell(master)
        until(
            lambda: self._is_renewed(master, moment, answering) or self._has_given_up(mark),
            Deadline(_PATIENCE),
        )
        if not self._is_renewed(master, moment, answering):
            said = "\n".join(dict.fromkeys(_complaints(self.error_log, mark)))
            raise SiteRefused("nginx does not use its new configuration", said)

    def has(self, program: str) -> bool:
        """Whether a program is there to be typed."""
        return which(program) is not None

    def start(self, answering: tuple[int, ...]) -> bool:
        """Start it where systemd can, until it answers; False elsewhere. Raises SiteRefused."""
        if not self._has_unit():
            return False
        done = programs.run(["systemctl", "start", _UNIT], env=programs.tool_environment())
        if done.returncode or not until(lambda: all(map(_answers, answering)), Deadline(_PATIENCE)):
            raise SiteRefused("systemd cannot start nginx; see: journalctl -u nginx", done.stdout)
        return True

    def stop(self) -> None:
        """Have systemd end what `start` has started."""
        programs.run(["systemctl", "stop", _UNIT], env=programs.tool_environment())

    @property
    def _conf(self) -> str:
        try:
            return self.conf.read_text(errors="replace")
        except OSError as error:
            raise SiteRefused(f"{self.conf} cannot be read: {error.strerror}") from error

    def _words(self, name: str) -> list[str]:
        """The words of a directive at the top of nginx.conf."""
        return [word for each in config_parser.parse(self._conf).all(name) for word in each.words]

    def _main(self, name: str, built: str) -> Path:
        word = (self._words(name) or [built])[0]
        return self.build.prefix / word

    def _run(self, *words: str, conf: Path | None = None) -> tuple[bool, str]:
        """Whether nginx does as it is told, and what it says."""
        command: list[str | Path] = [self.program, *words, "-c", conf or self.conf]
        done = programs.run(command, env=programs.tool_environment())
        return done.returncode == 0, done.stdout

    def _as_user(self, *command: str | Path) -> programs.Done:
        uid = self.uid if users.am_root() else 0
        return programs.run(command, cwd=Path("/"), uid=uid or None)

    def _tell(self, master: int) -> None:
        if self._has_unit() and _unit_pid() == master:
            command = ["systemctl", "reload", _UNIT]
            done = programs.run(command, env=programs.tool_environment())
            is_told, said = done.returncode == 0, done.stdout
        else:
            is_told, said = self._run("-s", "reload")
        if not is_told:
            raise SiteRefused("nginx cannot be told to read its configuration", said)

    def _is_renewed(self, master: int, moment: float, answering: tuple[int, ...]) -> bool:
        """Whether new workers answer, and no old one any more takes a request."""
        workers = [each for each in processes.family(master) if each.pid != master]
        new = [each for each in workers if processes.started_after(each.pid, moment)]
        old = [each for each in workers if each not in new]
        titles = [_title(each.pid) for each in old]
        finished = all(_RETIRING in title or not title for title in titles)
        return bool(new) and finished and all(map(_answers, answering))

    def _has_given_up(self, mark: int) -> bool:
        """Whether it says why it goes on as before; a port it tries to bind for 2.5 s."""
        said = _complaints(self.error_log, mark)
        return any(_GIVEN_UP in line or _TRYING not in line for line in said)

    def _has_unit(self) -> bool:
        has_systemd = _SYSTEMD.is_dir() and shutil.which("systemctl") is not None
        return self._is_system and has_systemd

    @property
    def _is_system(self) -> bool:
        return self.conf == self.build.conf


def find() -> Nginx:
    """The nginx of this host, or that of BACKSTAGE_NGINX_CONF. Raises SiteRefused for none."""
    program = which("nginx")
    if program is None:
        raise SiteRefused(_INSTALL)
    http, https = _ports()
    if named := os.environ.get(CONFIGURATION):
        conf = Path(named).resolve()
        state = conf.parent / "backstage"
        return Nginx(Path(program), conf, state, http_port=http, https_port=https)
    return Nginx(Path(program), build_of(Path(program)).conf, http_port=http, https_port=https)


def _ports() -> tuple[int, int]:
    named = os.environ.get(PORTS, "80,443")
    try:
        http, https = map(int, named.split(","))
    except ValueError as error:
        raise SiteRefused(f"{PORTS} is {named!r}; write two ports, as 8080,8443") from error
    return http, https


def _minimal(trial: Path, texts: Mapping[str, str]) -> str:
    """A configuration that needs nothing of the system's and has nothing but these files."""
    kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(
        [
            f"pid {trial}/pid;",
            "error_log stderr;",
            "events {}",
            "http {",
            "access_log off;",
            *(f"{name}_temp_path {trial}/{name};" for name in kept),
            *(f"include {trial}/{name};" for name in texts),
            "}\n",
        ]
    )


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as attempt:
            attempt.bind(("::", 0))
    except OSError:
        return False
    return True


def _unit_pid() -> int:
    command = ["systemctl", "show", "--value", "-p", "MainPID", _UNIT]
    told = programs.run(command, env=programs.tool_environment()).stdout.strip()
    return int(told) if told.isdigit() else 0


def _title(pid: int) -> str:
    """What a process calls itself; '' where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _complaints(log: Path, mark: int) -> list[str]:
    """What was added to a log of errors, as far as nginx cannot go on with it."""
    try:
        with log.open("rb") as file:
            file.seek(mark)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if "[emerg]" in line]
