"""Which tracked connections a change of translating rules concerns; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netglass.host.iptables import Flows


def moved(before: Sequence[str], after: Sequence[str]) -> Iterator[Flows]:
    """Gives the connections of translations that go, and those that went on without ones that come."""
    for rules, others, read in ((before, set(after), flows_of), (after, set(before), flows_without)):
        for rule in rules:
            flows = read(rule) if rule not in others else None
            if flows is not None:
                yield flows


def flows_of(rule: str) -> Flows | None:
    """Gives the connections that a translating rule has made; None for other rules."""
    value = _settings(rule)
    if "--to-destination" in value and "-d" in value:
        to, _, port = value["--to-destination"].partition(":")
        single = ("--reply-port-src", port) if port.isdigit() else ()
        return _inward(value, ("--reply-src", to, *single))
    if "--to-source" in value:
        source = ("--orig-src", value["-s"].partition("/")[0]) if "-s" in value else ()
        return Flows((*source, "--reply-dst", value["--to-source"]))
    return None


def flows_without(rule: str) -> Flows | None:
    """Gives the connections that the rule of a floating address would have translated, had it been there before."""
    value = _settings(rule)
    if "--to-destination" not in value or "-d" not in value:
        return None
    return _inward(value, ("--reply-src", value["-d"].partition("/")[0]))


def _inward(value: Mapping[str, str], reply: tuple[str, ...]) -> Flows:
    first, _, last = value.get("--dport", "").partition(":")
    protocol = ("-p", value["-p"]) if "-p" in value else ()
    words = (*protocol, "--orig-dst", value["-d"].partition("/")[0], *reply)
    return Flows(words, (int(first), int(last or first)) if first else None)


def _settings(rule: str) -> dict[str, str]:
    words = rule.split()
    return {word: words[place + 1] for place, word in enumerate(words[:-1])}
