"""Desired states and differences for people: tables on a wide terminal, paragraphs on another, lines in a pipe.

Lines are what ``desired.text`` gives, so that they can be compared and searched; tables say the same in columns, and
paragraphs in so few that ids and commands are not torn into pieces.
Names and texts of users pass `printable`, and reach rich as Text only, which interprets no markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from netglass.desired.state import KINDS, File, HostState, Thing
from netglass.desired.text import facts, printable, render_diagnostic, render_intent, render_state, title

Names = Callable[[str], str]

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "delete": ("-", "red"), "awaiting": ("?", "cyan")}
_TABLE_WIDTH = 140  # characters a line; four columns of less tear names apart
_INDENT = 4
_KINDS = tuple(kind.kind for kind in KINDS)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Shows on a terminal that something is under way; prints nothing into a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def show_state(state: HostState, revision: int, name_of: Names, kinds: Sequence[str] = ()) -> None:
    """Prints what a host must look like, grouped by kind.

    kinds  only these; empty: all
    """
    console = Console(highlight=False)
    chosen = _chosen(state, kinds)
    if not console.is_terminal:
        console.out(printable(render_state(chosen, name_of), keep="\n"), end="")
        return
    console.print(Text.assemble((printable(state.host), "bold"), f" at revision {revision}"))
    for kind in _KINDS:
        things = chosen.things(kind)
        if things:
            rows = [_row(thing, name_of) for thing in things]
            _print_rows(console, f"{kind} ({len(things)})", (kind, "facts", "owner", "intent"), rows)
    for diagnostic in chosen.diagnostics:
        console.print(Text(f"! {render_diagnostic(diagnostic, name_of)}", style="red"))


def is_empty(diff: Mapping[str, Any], kinds: Sequence[str] = ()) -> bool:
    """Says whether nothing differs; what is only awaited is no difference.

    diff   the agent's answer: host, kinds with add, change, delete and awaiting, failing
    kinds  only these; empty: all
    """
    differing = any(part.get(verb) for part in _of(diff, "kinds", kinds) for verb in ("add", "change", "delete"))
    return not differing and not _of(diff, "failing", kinds)


def show_diff(diff: Mapping[str, Any], name_of: Names, kinds: Sequence[str] = ()) -> None:
    """Prints what differs on a host; arguments as for `is_empty`."""
    console = Console(highlight=False)
    for part in _of(diff, "kinds", kinds):
        rows = list(_differences(part, name_of))
        if console.is_terminal:
            _print_rows(console, part["kind"], ("", part["kind"], "difference", "owner", "intent"), rows)
        else:
            for sign, what, how, owner, intent in rows:
                line = f"{sign} {part['kind']} {what}  {how}".rstrip() + f"  # {owner} {intent}"
                console.out(printable(line))
    for one in _of(diff, "failing", kinds):
        why = render_intent(tuple(one["intent"]), name_of)
        line = printable(f"! {one['kind']} {one['key']}: {one['evidence']}  # {why}")
        console.print(Text(line, style="red"), soft_wrap=True)
    if is_empty(diff, kinds):
        console.print(Text(f"{printable(diff['host'])} is as it must be"), soft_wrap=True)


def _of(diff: Mapping[str, Any], what: str, kinds: Sequence[str]) -> list[Mapping[str, Any]]:
    return [part for part in diff.get(what, ()) if not kinds or part["kind"] in kinds]


def _chosen(state: HostState, kinds: Sequence[str]) -> HostState:
    wanted: dict[str, Any] = {kind: state.things(kind) for kind in _KINDS if not kinds or kind in kinds}
    return HostState(host=state.host, diagnostics=() if kinds else state.diagnostics, **wanted)


def _row(thing: Thing, name_of: Names) -> tuple[str, ...]:
    told = [line for name, value in facts(thing).items() for line in _fact_lines(name, value)]
    if isinstance(thing, File):
        told += thing.text.splitlines()
    return printable(title(thing)), "\n".join(map(printable, told)), thing.owner, render_intent(thing.intent, name_of)


def _fact_lines(name: str, value: Any) -> Iterator[str]:
    """Gives a fact on one line; one that is many of them, each on its own."""
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        yield from (f"{name}: {_short(msgspec.structs.asdict(one))}" for one in value)
    elif isinstance(value, Mapping) and len(value) > 1:
        yield from (f"{name}: {key}={_short(one)}" for key, one in value.items())
    else:
        yield f"{name}={_short(value)}"


def _differences(part: Mapping[str, Any], name_of: Names) -> Iterable[tuple[str, str, str, str, str]]:
    for verb, (sign, _) in _SIGNS.items():
        for thing in part.get(verb, ()):
            changes = thing.get("changes", {})
            how = "; ".join(f"{n}: {_short(c['found'])} -> {_short(c['wanted'])}" for n, c in changes.items())
            if part["kind"] == "daemons" and not changes.get("argv", {}).get("found", True):
                how = "does not run, or not where it must; to be started anew"
            note = how or {"awaiting": "not there yet; somebody else makes it"}.get(verb, "")
            why = render_intent(tuple(thing["intent"]), name_of)
            yield sign, printable(thing.get("title", thing["key"])), printable(note), printable(thing["owner"]), why


def _print_rows(console: Console, heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if console.width >= _TABLE_WIDTH:
        console.print(_table(heading, columns, rows))
        return
    console.print(Text(heading, style="bold"))
    styles = dict(_SIGNS.values())
    for row in rows:
        *sign, what, how, owner, intent = row
        style = styles.get(sign[0], "") if sign else ""
        console.print(Text(" ".join([*sign, what]), style=style), overflow="fold")
        lines = how.splitlines()
        for line in lines if File.kind in columns else _packed(lines, console.width - _INDENT):
            console.print(Padding(Text(line), (0, 0, 0, _INDENT)), overflow="fold")
        console.print(Padding(Text(f"# {owner} {intent}", style="dim"), (0, 0, 0, _INDENT)), overflow="fold")


def _packed(lines: Iterable[str], width: int) -> list[str]:
    """Puts short lines together, as many on one as fit."""
    packed: list[str] = []
    for line in lines:
        if packed and len(packed[-1]) + 2 + len(line) <= width:
            packed[-1] += f"  {line}"
        else:
            packed.append(line)
    return packed


def _table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=Text(heading), title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    styles = dict(_SIGNS.values())
    for row in rows:
        table.add_row(*(Text(cell) for cell in row), style=styles.get(row[0]))
    return table


def _short(value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_short(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return " ".join(_short(one) for one in value) or "none"
    text = str(value)
    return repr(text) if not text or not text.isprintable() else text
