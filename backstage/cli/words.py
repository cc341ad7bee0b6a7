"""Arguments of commands that tell, when they are wrong, what to type instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click

from ..facts.command_line import quote


class Word(click.Choice[str]):
    """One of some words. `meant` has lines to type for other words, which people try."""

    def __init__(self, words: Iterable[str], meant: Mapping[str, str] | None = None) -> None:
        super().__init__(tuple(words))
        self._meant = meant or {}

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices and value in self._meant:
            named = str((ctx and ctx.params.get("act_name")) or "ACT")
            line = self._meant[value].format(act=quote(named))
            raise click.UsageError(f"there is no '{value}' here; type: backstage {line}", ctx)
        return super().convert(value, param, ctx)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return f"Choose from: {', '.join(self.choices)}"


class Whole(click.IntRange):
    """A whole number."""

    name = "whole number"


class Number(click.FloatRange):
    """A number, such as one of seconds."""

    name = "number"
