"""What br-int's tables of the firewall say, by the security group rules behind them.

Source: ``compile.firewall.tables`` and ``sources``, whose tables these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netglass.pipeline import tables
from netglass.trace.acting import Learnt
from netglass.trace.fields import Frame
from netglass.trace.lookup import Entry
from netglass.trace.place import why
from netglass.trace.result import Drop, Filter, Step, Table

if TYPE_CHECKING:
    from netglass.trace.fabric import Machine

_FORGED = {
    tables.ARP_SPOOF.number: "it says to be what the port is not, or is of a kind that no rule can let pass",
    tables.MAC_SPOOF.number: "its MAC is none of the port's own",
    tables.BASE_EGRESS.number: "its source is none of the port's own addresses and MACs, or no guest may send it",
}
_RULES = {tables.RULES_EGRESS.number: "out", tables.RULES_INGRESS.number: "in"}


def permitted(machine: Machine, flow: Entry, clauses: Iterable[Entry]) -> Iterator[Step]:
    """Gives the rule by which a conjunction lets a packet pass; nothing when that is none of a security group."""
    number = next((part for part in flow.match.split(",") if part.startswith("conj_id=")), "").partition("=")[2]
    for clause in clauses:
        reason = machine.reasons.get(f"{clause.match} conj={number}")
        if reason is not None:
            text = f"lets it pass by {reason.text}"
            yield Filter(passes=True, text=text, **(_named(clause) | {"intent": reason.intent}))
            return


def dropped(machine: Machine, frame: Frame, steps: Sequence[Step]) -> Drop | None:
    """Gives why the firewall drops a packet, by the table that sent it to where such are counted; None: it does not."""
    asked = [step for step in steps if isinstance(step, Table)]
    if len(asked) < 2 or asked[-1].number != tables.DROPPED.number or asked[-1].name != tables.DROPPED.name:
        return None
    last = asked[-2]
    if last.number in _FORGED:
        return Drop(
            code="forged", text=_FORGED[last.number], matched=last.matched, owner=last.owner, intent=_port(asked)
        )
    reason = machine.reasons.get(f"reg5={frame.notes.get('reg5', 0):#x}")
    if last.number not in _RULES or reason is None:
        return None
    text = f"{reason.text} lets it {_RULES[last.number]}"
    return Drop(code="security-group", text=text, matched=last.matched, owner=last.owner, intent=reason.intent)


def _port(asked: Sequence[Table]) -> tuple[str, ...]:
    return asked[0].intent


def _named(flow: Entry) -> dict[str, Any]:
    return {} if isinstance(flow, Learnt) else why(flow)
