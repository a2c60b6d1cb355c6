"""Desired state and plans as stable text: for golden files, logs and people.

    links
      veth qvb53903a95-82  peer=qvo53903a95-82 mtu=1500 …    # plugging port:53903a95-…

One line an object (a file's text, a set's rules or members follow their line), kinds in the order of `KINDS`, objects
ascending by key, facts at their default left out.  Equal states give equal texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from netglass.desired.diff import KindPlan, Plan
from netglass.desired.state import KINDS, AddressSet, Connections, Diagnostic, File, HostState, RuleSet, Thing

_SHOWN_REFS = 4
_IN_TITLE = {
    "namespaces": ("name",),
    "guests": ("server_id",),
    "links": ("netns", "name"),
    "bridges": ("name",),
    "switch_ports": ("name",),
    "flows": ("bridge", "table", "priority", "match", "actions", "port"),  # the port is in the match or the actions
    "port_tags": ("port",),
    "sysctls": ("netns", "name"),
    "addresses": ("netns", "device", "cidr"),
    "routes": ("netns", "destination"),
    "address_sets": ("name", "members"),  # the members follow
    "rule_sets": ("netns", "ip_version", "table", "part", "chains", "rules"),  # chains and rules follow
    "connections": ("zone", "ends"),  # the ends follow
    "announcements": ("netns", "device", "address"),
    "files": ("path", "text"),  # the text follows
    "daemons": ("name",),
    "guest_boots": ("server_id",),
}


def render_state(state: HostState, name_of: Callable[[str], str] = str) -> str:
    """Gives a whole state as text.

    name_of  how an intent reference is shown; as it is, without
    """
    lines = [f"host {state.host}"]
    for kind in KINDS:
        things = state.things(kind.kind)
        if things:
            lines += ["", kind.kind]
        for thing in things:
            lines.append(f"  {title(thing)}{_facts(thing)}  # {thing.owner} {render_intent(thing.intent, name_of)}")
            lines += [f"    | {line}" for line in _below(thing)]
    if state.diagnostics:
        lines += ["", "diagnostics"]
        lines += [f"  {render_diagnostic(diagnostic, name_of)}" for diagnostic in state.diagnostics]
    return "\n".join(lines) + "\n"


def _below(thing: Thing) -> list[str]:
    """Gives what follows an object's line: a file's text, a rule set's chains and rules, a set's members."""
    match thing:
        case File():
            return thing.text.splitlines()
        case RuleSet():
            return [*(f":{chain}" for chain in thing.chains), *thing.rules]
        case AddressSet():
            return list(thing.members)
        case Connections():
            return [end.text() for end in thing.ends]
    return []


def render_plan(difference: Plan, name_of: Callable[[str], str] = str) -> str:
    """Gives a difference as text, a line an object: ``+`` add, ``~`` change, ``-`` delete, ``?`` awaiting."""
    lines = []
    for part in difference.kinds:
        for sign, thing, facts in _rows(part):
            why = f"{thing.owner} {render_intent(thing.intent, name_of)}"
            lines.append(f"{sign} {part.kind} {title(thing)}{facts}  # {why}")
    return "".join(f"{printable(line)}\n" for line in lines)


def printable(text: str, keep: str = "") -> str:
    """Gives text that stays on its line and says nothing to a terminal.

    Control, format and unassigned characters, line and paragraph separators become Python's escapes: ``\\n``,
    ``\\x1b``, ``\\u202e``.  Text that has none of them is given as it is, so that doing it twice does no harm.

    keep  characters that stay all the same, such as the line breaks of a message of our own
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def title(thing: Thing) -> str:
    """Gives what tells an object from others of its kind, as people would write it."""
    if thing.kind == "flows":
        return f"{thing.key} actions={getattr(thing, 'actions', '')}"
    in_namespace = "netns" in thing.__struct_fields__
    return thing.key.removeprefix("/").removeprefix(" ") if in_namespace else thing.key  # empty: the host's own


def render_intent(intent: tuple[str, ...], name_of: Callable[[str], str] = str) -> str:
    """Gives references on one line; of many, the first few and how many more there are."""
    shown = " ".join(printable(name_of(ref)) for ref in intent[:_SHOWN_REFS])
    more = len(intent) - _SHOWN_REFS
    return f"{shown} and {more} more" if more > 0 else shown


def render_diagnostic(diagnostic: Diagnostic, name_of: Callable[[str], str] = str) -> str:
    """Gives a diagnostic on one line."""
    return f"{diagnostic.code}: {printable(diagnostic.text)}  # {render_intent(diagnostic.intent, name_of)}"


def facts(thing: Thing) -> dict[str, Any]:
    """Gives an object's facts beyond those that its title shows, without those at their default."""
    told = _IN_TITLE[thing.kind]
    defaults = _defaults(type(thing))
    values = ((name, getattr(thing, name)) for name in thing.__struct_fields__)
    return {
        name: value
        for name, value in values
        if name not in ("owner", "intent", *told) and value != defaults.get(name, _NO_DEFAULT)
    }


def changed_facts(before: Thing, after: Thing) -> dict[str, tuple[Any, Any]]:
    """Gives the facts in which two objects of equal key differ, as (before, after)."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in after.__struct_fields__)
    untold = ("owner", "intent", *(("port",) if after.kind == "flows" else ()))  # which is in the flow's text
    return {name: (old, new) for name, old, new in pairs if name not in untold and old != new}


_NO_DEFAULT = object()
_BASES: dict[str, Callable[[int], str]] = {"cookie": hex, "mode": oct}


def _defaults(kind: type[Thing]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            found[field.name] = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
    return found


def _facts(thing: Thing) -> str:
    told = ((n, _BASES[n](v) if n in _BASES else _value(v)) for n, v in facts(thing).items())
    return "".join(f" {name}={value}" for name, value in told)


def _rows(part: KindPlan) -> Iterator[tuple[str, Thing, str]]:
    yield from (("+", thing, _facts(thing)) for thing in part.add)
    for old, new in part.change:
        told = (f" {k}: {_value(a)} -> {_value(b)}" for k, (a, b) in changed_facts(old, new).items())
        yield "~", new, ";".join(told)
    yield from (("-", thing, "") for thing in part.delete)
    yield from (("?", thing, "") for thing in part.awaiting)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_value(one)}" for key, one in sorted(value.items())) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, msgspec.Struct):
        return "{" + ", ".join(f"{n}={_value(getattr(value, n))}" for n in value.__struct_fields__) + "}"
    return (
        repr(value) if isinstance(value, str) and (not value or " " in value or not value.isprintable()) else str(value)
    )
