"""Prints events for people, as they come: on a terminal with colours, elsewhere as plain text of 100 columns."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from netglass.demo.claims import Began, Claim, Event, Said, Shown, Took

WIDTH = 100
_GOES_ON = " \\"


class Printer:
    """Prints to a console; knows nothing of what it prints but its kind."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def event(self, event: Event) -> None:
        """Prints one event."""
        match event:
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

    def _shown(self, shown: Shown) -> None:
        prompt = Text.assemble((f"\n{shown.place}", "cyan"), (" $ ", "dim"))
        room = WIDTH - len(prompt.plain) - len(_GOES_ON)
        head = textwrap.wrap(shown.command, room, break_on_hyphens=False) or [""]
        self._console.print(prompt.append(f"{_GOES_ON}\n      ".join(head), style="bold cyan"), soft_wrap=True)
        for line in shown.output.expandtabs().rstrip().splitlines():
            if line.strip():
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

    def summary(self, claims: list[Claim], times: list[Took], seconds: float) -> None:
        """Prints what took how long, the claims that do not hold, and how many do."""
        self._console.print()
        self._console.rule(Text("Summary", style="bold"), align="left", style="dim")
        table = Table(box=None, show_header=False, pad_edge=True)
        table.add_column(overflow="fold")
        table.add_column(justify="right", no_wrap=True)
        for took in times:
            table.add_row(took.what, spell(took.seconds))
        table.add_row("the whole demo", spell(seconds))
        self._console.print(table)
        failed = [claim for claim in claims if not claim.held]
        for claim in failed:
            self._claim(claim)
        held = len(claims) - len(failed)
        style = "bold red" if failed else "bold green"
        self._console.print(Text(f"\n{held} of {len(claims)} claims hold.", style=style))

    def remark(self, text: str) -> None:
        """Prints lines as they are."""
        self._console.print(Text(text), soft_wrap=True)


def spell(seconds: float) -> str:
    """Gives a time as people say it: milliseconds below one second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def console() -> Console:
    """Gives standard output, as wide as a page; a terminal that is narrower folds lines itself."""
    return Console(highlight=False, emoji=False, markup=False, width=WIDTH)
