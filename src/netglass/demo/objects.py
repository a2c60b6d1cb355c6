"""Creates what a user asks for, or finds it where the last run of the demo made it."""

from __future__ import annotations

from netglass.demo.claims import Shown
from netglass.demo.stage import Stage


def made(stage: Stage, kind: str, name: str, columns: tuple[str, ...], asked: tuple[str, ...] = ()) -> Shown:
    """Gives what the client prints of the project user's object called `name`, which it creates unless it is there."""
    if (there := found(stage, kind, name, columns)) is not None:
        return there
    return stage.client("demo", *creation(kind, name, columns, asked))


def found(stage: Stage, kind: str, name: str, columns: tuple[str, ...]) -> Shown | None:
    """Gives what the client prints of an object that the last run made; None where there was no such run."""
    if stage.fresh:  # a lab that just came up is not asked in vain
        return None
    there = stage.client("demo", kind, "show", name, *chosen(columns))
    # "No Network found for net1": all else is there, or a failure to show.
    return there if "found for" not in there.output else None


def creation(kind: str, name: str, columns: tuple[str, ...], asked: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Gives the client's words to create an object."""
    return (kind, "create", *asked, name, *chosen(columns))


def chosen(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Gives the client's words to print these columns and no others."""
    return tuple(word for name in columns for word in ("-c", name))
