"""Prints events for people, as they come: on a terminal with colours, elsewhere as plain text of 100 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from netglass.demo.claims import GAP, Began, Claim, Event, Opened, Said, Shown, Took
from netglass.demo.run import Outcome

WIDTH = 100
_GOES_ON = " \\"


class Printer:
    """Prints to a console; knows nothing of what it prints but its kind."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def event(self, event: Event) -> None:
        """Prints one event."""
        match event:
            case Opened():
                self._opened(event)
            case Began():
                self._console.print()
                self._console.rule(Text(event.title, style="bold"), align="left", style="dim")
            case Said():
                self._console.print(Text("\n" + textwrap.fill(event.text, WIDTH, break_on_hyphens=False)))
            case Shown():
                self._shown(event)
            case Claim():
                self._claim(event)
            case Took():
                self._console.print(Text.assemble(("  ⏱ ", "dim"), f"{event.what}: {spell(event.seconds)}"))

    def _opened(self, opened: Opened) -> None:
        self._console.print()
        self._console.rule(characters="━", style="bold cyan")
        self._console.print(Text(opened.title, style="bold cyan"))
        self._console.rule(characters="━", style="bold cyan")
        self._console.print(Text("\n" + textwrap.fill(opened.text, WIDTH, break_on_hyphens=False) + "\n"))
        self._console.print(Text(opened.picture.rstrip("\n"), style="dim"))

    def _shown(self, shown: Shown) -> None:
        prompt = Text.assemble((f"\n{shown.place}", "cyan"), (" $ ", "dim"))
        room = WIDTH - len(prompt.plain) - len(_GOES_ON)
        head = textwrap.wrap(shown.command, room, break_on_hyphens=False) or [""]
        self._console.print(prompt.append(f"{_GOES_ON}\n      ".join(head), style="bold cyan"), soft_wrap=True)
        for line in shown.lines():
            if line == GAP:
                self._console.print(Text(f"  {GAP}", style="dim"))
            else:
                self._line(line, shown.marks)
        if shown.status:
            self._console.print(Text(f"  (exit status {shown.status})", style="red"))

    def _line(self, line: str, marks: tuple[str, ...]) -> None:
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        options = {"width": WIDTH - 2, "subsequent_indent": indent, "break_on_hyphens": False}
        # A table of the client is wider than the page only where a cell cannot be cut: leave it whole.
        parts = [line] if line.startswith(("|", "+")) else textwrap.wrap(line, **options) or [line]  # type: ignore[arg-type]
        for part in parts:
            text = Text("  " + part, style="none")
            if marks:
                text.highlight_regex("|".join(re.escape(mark) for mark in marks if mark) or r"(?!)", "bold yellow")
            self._console.print(text, soft_wrap=True)

    def _claim(self, claim: Claim) -> None:
        sign = ("✓", "bold green") if claim.held else ("✗", "bold red")
        self._console.print(Text.assemble("  ", sign, " ", claim.text), soft_wrap=True)
        if not claim.held:
            for label, words in (("wanted", claim.wanted), ("found", claim.found)):
                self._console.print(Text(f"      {label:<6} {words.strip()}", style="red"), soft_wrap=True)

    def summary(self, outcomes: Sequence[Outcome], up: Took, seconds: float) -> None:
        """Prints what took how long, the claims that do not hold, and how many do."""
        self._console.print()
        self._console.rule(Text("Summary", style="bold"), align="left", style="dim")
        table = Table(box=None, show_header=False, pad_edge=True)
        table.add_column(overflow="fold")
        table.add_column(justify="right", no_wrap=True)
        table.add_row(up.what, spell(up.seconds))
        for outcome in outcomes:
            table.add_row()
            held = sum(claim.held for claim in outcome.claims)
            table.add_row(Text(f"{outcome.part}: {held} of {len(outcome.claims)} claims hold", style="bold"), "")
            for took in outcome.times:
                table.add_row(f"  {took.what}", spell(took.seconds))
        table.add_row()
        table.add_row(Text("the whole demo", style="bold"), Text(spell(seconds), style="bold"))
        self._console.print(table)
        claims = [claim for outcome in outcomes for claim in outcome.claims]
        failed = [claim for claim in claims if not claim.held]
        for claim in failed:
            self._claim(claim)
        style = "bold red" if failed else "bold green"
        self._console.print(Text(f"\n{len(claims) - len(failed)} of {len(claims)} claims hold.", style=style))
        for outcome in outcomes:
            if not outcome.finished:
                text = f"{outcome.part} ended early: what comes next stands on a claim that does not hold."
                self._console.print(Text(text, style="bold red"))

    def remark(self, text: str) -> None:
        """Prints lines as they are."""
        self._console.print(Text(text), soft_wrap=True)


def spell(seconds: float) -> str:
    """Gives a time as people say it: milliseconds below one second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def console() -> Console:
    """Gives standard output, as wide as a page; a terminal that is narrower folds lines itself."""
    return Console(highlight=False, emoji=False, markup=False, width=WIDTH)
