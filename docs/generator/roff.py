"""The manual page, in the language of man(7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from backstage.cli.exits import Exit

from .blocks import blocks
from .commands import Facts, Option

# What roff would print as typographic quotes and dashes, or obey.
_TYPED = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "~": r"\(ti", "^": r"\(ha"}


def manual(
    summary: str,
    sections: Sequence[tuple[str, Sequence[Facts]]],
    shared: Sequence[Option],
    guide: dict[str, str],
) -> str:
    """The one page on all commands, so that a search finds whatever there is."""
    lines = [
        r".\" Written by `make docs` from the program itself; edit that.",
        '.TH BACKSTAGE 1 "" "Django Backstage" "User Commands"',
        # Words stay whole and apart as they are, for whoever searches.
        *(".nh", ".ad l"),
        *(".SH NAME", rf"backstage \- {_text(summary[:1].lower() + summary[1:].rstrip('.'))}"),
        *(".SH SYNOPSIS", ".B backstage", r".RI [ OPTIONS ] \~ COMMAND \~ [ ARGUMENTS ]"),
        *(".SH DESCRIPTION", *_prose(summary)),
        *_overview(sections),
    ]
    for title, commands in sections:
        lines.append(f".SH {_text(title.upper())}")
        for facts in commands:
            lines += _command(facts)
    lines += [".SH OPTIONS OF ALL COMMANDS", *_options(shared)]
    for title, text in guide.items():
        lines += [f".SH {_text(title.upper())}", *_prose(text)]
    lines += _terms((str(int(code)), code.meaning) for code in Exit)
    return "\n".join(lines) + "\n"


def _overview(sections: Iterable[tuple[str, Sequence[Facts]]]) -> Iterator[str]:
    for _, commands in sections:
        yield from (".PP", ".PD 0")
        for facts in commands:
            yield from (".TP 12", rf"\fB{_typed(facts.name)}\fR", _text(facts.line))
        yield ".PD"


def _command(facts: Facts) -> Iterator[str]:
    yield f".SS backstage {_typed(facts.name)}"
    yield from _literal(facts.usage)
    yield from _prose(facts.text)
    yield from _options(facts.options)
    yield ".PP"
    codes = ", ".join(str(int(code)) for code in facts.exits)
    yield f"Exit codes: {codes}."
    yield from _literal(facts.examples)


def _options(options: Iterable[Option]) -> Iterator[str]:
    return _terms((option.term, option.text) for option in options)


def _terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield from (".TP", rf"\fB{_typed(term)}\fR", _text(text))


def _prose(text: str) -> Iterator[str]:
    for block in blocks(text):
        yield from _literal(block.text) if block.literal else (".PP", _text(block.text))


def _literal(text: str) -> Iterator[str]:
    yield from (".PP", ".RS 4", ".nf", *map(_typed, text.splitlines()), ".fi", ".RE")


def _text(text: str) -> str:
    """Prose, with what stands between backticks in bold."""
    parts = [_plain(part) for part in text.split("`")]
    parts[1::2] = [rf"\fB{_typed(part)}\fR" for part in text.split("`")[1::2]]
    return _start("".join(parts))


def _typed(text: str) -> str:
    """Text to be shown, searched and copied letter by letter."""
    return _start("".join(_TYPED.get(sign) or _sign(sign) for sign in text))


def _plain(text: str) -> str:
    return "".join(map(_sign, text.replace("\\", r"\e")))


def _sign(sign: str) -> str:
    return sign if sign.isascii() else f"\\[u{ord(sign):04X}]"


def _start(line: str) -> str:
    """A line that does not begin with what roff takes for a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
