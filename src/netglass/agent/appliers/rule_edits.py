"""What iptables' tables hold of ours, and the lines that turn it into what is wanted; pure.

A table of the host's own namespace is kept in parts (`RuleSet.part`), each a port's or of the rules of some groups, and
one for what they hang on.  A part's own chains hold nothing else; in other chains its rules stand beside those of other
parts, so that places say nothing there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from functools import lru_cache

import msgspec

from netglass.base.ids import FILTER_PREFIX, part_of_chain, part_of_device
from netglass.desired.state import RuleSet
from netglass.host.iptables import FRAMES, Table

_PREFIX = "neutron-"


def observed(netns: str, version: int, name: str, table: Table) -> Iterator[RuleSet]:
    """Gives what of a table is ours, part by part; nothing when nothing is."""
    prefix = _PREFIX if netns else FILTER_PREFIX
    chains: dict[str, list[str]] = defaultdict(list)
    rules: dict[str, list[str]] = defaultdict(list)
    for chain in table.chains:
        if chain.startswith(prefix):
            chains["" if netns else part_of_chain(chain)].append(chain)
    for rule in table.rules:
        if _ours(rule, prefix):
            rules["" if netns else part_of(rule)].append(rule)
    for part in sorted(chains.keys() | rules.keys()):
        rules[part].sort(key=lambda rule: rule.split(" ", 2)[1])  # stable: within a chain the order stays
        yield RuleSet(
            owner="",
            intent=(),
            netns=netns,
            ip_version=version,
            table=name,
            part=part,
            chains=tuple(sorted(chains[part])),
            rules=tuple(rules[part]),
        )


def as_wanted(seen: RuleSet, wanted: Mapping[str, RuleSet]) -> RuleSet:
    """Gives the wanted set in place of one that is as it should be."""
    same = wanted.get(seen.key)
    return same if same is not None and (same.chains, same.rules) == (seen.chains, seen.rules) else seen


@lru_cache(maxsize=16384)
def part_of(rule: str) -> str:
    """Gives the part that a rule belongs to: of the chain that it is in, that it leads to, or of its device."""
    words = rule.split()
    own = part_of_chain(words[1]) or part_of_chain(words[-1])
    devices = (words[words.index(option) + 1] for option in ("-i", "-o") if option in words)
    return own or next((part for device in devices if (part := part_of_device(device))), "")


def edits(before: RuleSet | None, after: RuleSet) -> Iterator[str]:
    """Gives the lines for iptables-restore, within one table, that turn one set of rules into another.

    They count on what is there.
    """
    there = set(before.chains) if before is not None else set()
    old, new = _by_chain(before.rules if before is not None else ()), _by_chain(after.rules)
    # Naming a chain that is there would empty it.
    policy = "RETURN" if after.ip_version == FRAMES else "- [0:0]"
    yield from (f":{chain} {policy}" for chain in after.chains if chain not in there)
    for chain in sorted(old.keys() | new.keys()):
        have, want = old.get(chain, []), new.get(chain, [])
        if _alone(chain, after):
            yield from _chain_edits(chain, have, want)
        elif have != want:
            yield from (f"-D {chain} {rule}" for rule in have)
            yield from (f"-A {chain} {rule}" for rule in want)
    yield from (f"-X {chain}" for chain in sorted(there - set(after.chains)))


def bare(rule_set: RuleSet) -> RuleSet:
    """Gives the same set without anything in it."""
    return msgspec.structs.replace(rule_set, chains=(), rules=())


def emptied(rule_set: RuleSet) -> RuleSet:
    """Gives the same set with its chains, and no rules in them."""
    return msgspec.structs.replace(rule_set, rules=())


@lru_cache(maxsize=16384)
def _ours(rule: str, prefix: str) -> bool:
    words = rule.split()
    return words[1].startswith(prefix) or (words[-2] in ("-j", "-g") and words[-1].startswith(prefix))


def _alone(chain: str, rule_set: RuleSet) -> bool:
    """Says whether nobody else's rules can stand in a chain."""
    if rule_set.netns:
        return chain.startswith(_PREFIX)
    return bool(rule_set.part) and part_of_chain(chain) == rule_set.part


def _chain_edits(chain: str, have: list[str], want: list[str]) -> Iterator[str]:
    # From the end, so that the numbers of what comes before stay true.
    for verb, i1, i2, j1, j2 in reversed(SequenceMatcher(None, have, want, autojunk=False).get_opcodes()):
        if verb == "equal":
            continue
        yield from (f"-D {chain} {number}" for number in range(i2, i1, -1))
        if i2 == len(have):
            yield from (f"-A {chain} {rule}" for rule in want[j1:j2])
        else:
            yield from (f"-I {chain} {i1 + 1} {rule}" for rule in reversed(want[j1:j2]))


def _by_chain(rules: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for rule in rules:
        _, chain, rest = rule.split(" ", 2)
        found[chain].append(rest)
    return found
