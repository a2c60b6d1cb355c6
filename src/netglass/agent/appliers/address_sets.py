"""Keeps the ipsets that rules refer to, in the host's own namespace.

Ours are those whose name begins with ``NIPv4`` or ``NIPv6``.  A member that comes or goes is one line, however many
ports' rules refer to the set.  A set of another type under a wanted name cannot be changed: it is deleted and made
anew, which works only while no rule refers to it, and is reported otherwise.

On an error it carries on with the next set.
"""

from __future__ import annotations

from collections.abc import Callable

from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import AddressSet, HostState, Thing
from netglass.host import ipset
from netglass.host.ipset import SetsUnreadable

_OURS = ("NIPv4", "NIPv6")


class AddressSets:
    """The applier of ``address_sets``."""

    kinds = ("address_sets",)

    def __init__(self) -> None:
        self._known: bool | None = None  # whether there was any when last asked; None: never asked

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives our sets; asks nobody on a host that wants and had none.  Raises ApplyError."""
        if not desired.address_sets and self._known is False:
            return {"address_sets": ()}
        wanted = {one.name: one for one in desired.address_sets}
        try:
            sets = ipset.save()
        except SetsUnreadable as error:
            raise ApplyError("address_sets", "all", str(error)) from error
        found = [_observed(name, one, wanted.get(name)) for name, one in sets.items() if name.startswith(_OURS)]
        self._known = bool(found)
        return {"address_sets": tuple(sorted(found, key=lambda one: one.key))}

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes sets and changes their members, all in one call; each alone when that is refused."""
        steps: list[tuple[str, list[str]]] = []
        for thing in work.add:
            assert isinstance(thing, AddressSet)
            steps.append((thing.key, _made(thing)))
        for before, after in work.change:
            assert isinstance(before, AddressSet)
            assert isinstance(after, AddressSet)
            steps.append((after.key, _changed(before, after)))
        output = ipset.restore([line for _, lines in steps for line in lines])
        if output.ok:
            return []
        # What was refused may have been done in part; the next look at the sets tells.
        tried = ((key, ipset.restore(lines)) for key, lines in steps)
        return [ApplyError("address_sets", key, output.evidence) for key, output in tried if not output.ok]

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes sets, one by one: the kernel takes some 40 ms for each."""
        errors: list[ApplyError] = []
        for thing in things:
            output = ipset.restore([ipset.destroy(thing.key)])
            if not output.ok and "does not exist" not in output.stderr:
                errors.append(ApplyError(kind, thing.key, output.evidence))
            if hurry():
                break
        return errors

    def watch(self) -> list[int]:
        """Gives nothing: the kernel does not tell of changed sets."""
        return []


def _observed(name: str, one: ipset.Set, wanted: AddressSet | None) -> AddressSet:
    members = tuple(sorted(one.members))
    if wanted is not None and (wanted.ip_version, wanted.members) == (one.ip_version, members):
        return wanted
    return AddressSet(owner="", intent=(), name=name, ip_version=one.ip_version, members=members)


def _made(thing: AddressSet) -> list[str]:
    return [ipset.create(thing.name, thing.ip_version), *ipset.add(thing.name, thing.members)]


def _changed(before: AddressSet, after: AddressSet) -> list[str]:
    if before.ip_version != after.ip_version:
        return [ipset.destroy(after.name), *_made(after)]
    have, want = set(before.members), set(after.members)
    # First in, then out: where one prefix takes the place of another, nobody is left out for a moment.
    return [*ipset.add(after.name, sorted(want - have)), *ipset.delete(after.name, sorted(have - want))]
