"""Parses nginx's configuration, to find out which server serves which name where.

The format is nginx's own: a directive is words up to `;`, or up to a block in braces; words may be
quoted, and comments go from `#` to the end of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_WORD = re.compile(
    r"""\s+|\#[^\n]*|(?P<sign>[;{}])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'"""
    r"""|(?P<bare>(?:\\.|\$\{[^}]*\}|[^\s;{}"'\\])(?:\\.|\$\{[^}]*\}|[^\s;{}\\])*)""",
    re.DOTALL,
)
_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
# Blocks whose servers do not speak HTTP.
_OTHER_PROTOCOLS = frozenset({"stream", "mail"})
_DEFAULT_PORT = "80"


@dataclass(frozen=True)
class Directive:
    """A directive with its words, and the directives in its block, if it has one."""

    name: str
    words: tuple[str, ...] = ()
    block: tuple[Directive, ...] = ()

    def all(self, name: str) -> Iterator[Directive]:
        """The directives of that name directly in its block."""
        return (each for each in self.block if each.name == name)


@dataclass(frozen=True)
class Server:
    """A server block, and the file that contains it."""

    file: str
    names: frozenset[str]
    listens: tuple[tuple[str, ...], ...]

    @property
    def addresses(self) -> frozenset[str]:
        """Where it listens, as `*:80`, `[::]:443` or `192.0.2.1:80`."""
        return frozenset(address(words[0]) for words in self.listens)

    @property
    def ports(self) -> frozenset[str]:
        return frozenset(each.rpartition(":")[2] for each in self.addresses)

    @property
    def default_at(self) -> frozenset[str]:
        """The addresses where it answers names that no server claims."""
        signs = {"default_server", "default"}
        return frozenset(address(words[0]) for words in self.listens if signs & {*words[1:]})

    @property
    def takes_ipv4(self) -> frozenset[str]:
        """The ports at which its IPv6 socket also accepts IPv4."""
        both = (address(words[0]) for words in self.listens if "ipv6only=off" in words)
        return frozenset(each.rpartition(":")[2] for each in both)


def files_of(dump: str) -> dict[str, str]:
    """The files that `nginx -T` prints, by their paths."""
    pieces = _FILE.split(dump)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def parse(text: str) -> Directive:
    """A file's directives, as the block of a nameless one; unreadable parts are left out."""
    return Directive("", block=tuple(_block(_words(text))))


def servers(files: Mapping[str, str]) -> list[Server]:
    """The server blocks for HTTP in the files."""
    return [server for file, text in files.items() for server in _servers(file, parse(text).block)]


def find(files: Mapping[str, str], name: str) -> list[Directive]:
    """The directives of that name anywhere in the files."""
    return [each for text in files.values() for each in _below(parse(text)) if each.name == name]


def address(word: str) -> str:
    """The address in a `listen` directive, normalised."""
    if word.startswith("unix:"):
        return word
    if word.isdigit():
        return f"*:{word}"
    host, _, port = word.rpartition(":") if re.search(r":\d+\Z", word) else (word, "", "")
    host = "*" if host in {"0.0.0.0", "*"} else host
    return f"{host}:{port or _DEFAULT_PORT}"


def _servers(file: str, block: tuple[Directive, ...]) -> Iterator[Server]:
    for each in block:
        if each.name == "server" and each.block:
            names = frozenset(word.lower() for own in each.all("server_name") for word in own.words)
            listens = tuple(own.words for own in each.all("listen") if own.words)
            yield Server(file, names, listens or ((_DEFAULT_PORT,),))
        elif each.name not in _OTHER_PROTOCOLS:
            yield from _servers(file, each.block)


def _below(directive: Directive) -> Iterator[Directive]:
    for each in directive.block:
        yield each
        yield from _below(each)


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Each word or sign, and whether it is a sign."""
    for match in _WORD.finditer(text):
        kind = match.lastgroup
        if kind == "bare":
            yield match[kind], False
        elif kind == "sign":
            yield match[kind], True
        elif kind:
            yield re.sub(r"\\(.)", r"\1", match[kind]), False


def _block(words: Iterator[tuple[str, bool]]) -> Iterator[Directive]:
    said: list[str] = []
    for word, is_sign in words:
        if not is_sign:
            said.append(word)
            continue
        block = tuple(_block(words)) if word == "{" else ()
        if said:
            yield Directive(said[0], tuple(said[1:]), block)
        said = []
        if word == "}":
            return
