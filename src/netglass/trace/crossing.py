"""A packet's way through the hooks of a namespace's stack: tracking, translation and filters, in Linux' order.

    comes in    PREROUTING   raw, tracking, mangle, nat (destination)
    stays       INPUT        mangle, filter, nat (source)
    goes on     FORWARD      mangle, filter
    is its own  OUTPUT       raw, tracking, mangle, nat (destination), filter
    leaves      POSTROUTING  mangle, nat (source)

Source: Linux, netfilter_ipv4.h (enum nf_ip_hook_priorities); nf_nat_core.c for when rules are asked.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from netglass.trace.acting import differences
from netglass.trace.chains import consult
from netglass.trace.fabric import Machine
from netglass.trace.fitting import Passing
from netglass.trace.memory import Memory
from netglass.trace.packet import Packet
from netglass.trace.result import Changed, Drop, Nat, Step, Track, Warn
from netglass.trace.tracking import NEW, UNTRACKED, Place, translated

_TRACKING = "tracking"
_HOOKS: dict[str, tuple[str, ...]] = {
    "PREROUTING": ("raw", _TRACKING, "mangle", "nat"),
    "INPUT": ("mangle", "filter", "nat"),
    "FORWARD": ("mangle", "filter"),
    "OUTPUT": ("raw", _TRACKING, "mangle", "nat", "filter"),
    "POSTROUTING": ("mangle", "nat"),
}
_SIDES = {"PREROUTING": "dst", "OUTPUT": "dst", "INPUT": "src", "POSTROUTING": "src"}


class Crossing:
    """A packet in a namespace.

    passing  the packet as it is now
    steps    what was done with it
    refusal  ICMP's type and code that its sender is told once it is refused; None: nothing
    """

    def __init__(self, memory: Memory, machine: Machine, netns: str, passing: Passing) -> None:
        self._memory = memory
        self._machine = machine
        self._netns = netns
        self._version = ip_address(passing.packet.ip_dst).version
        self.passing = passing
        self.steps: list[Step] = []
        self.refusal: tuple[int, int] | None = None

    @property
    def packet(self) -> Packet:
        """Gives the packet as it is now."""
        return self.passing.packet

    def change(self, packet: Packet, *steps: Step) -> None:
        """Goes on with another packet."""
        self.passing = replace(self.passing, packet=packet)
        self.steps += steps

    def through(self, hook: str) -> bool:
        """Passes a hook; without leave to go on, `steps` end in the reason."""
        for table in _HOOKS[hook]:
            if table == _TRACKING:
                self._track()
            elif table == "nat":
                if not self._translated(hook):
                    return False
            elif not self._passes(table, hook):
                return False
        if hook in ("INPUT", "POSTROUTING"):
            self._memory.tracker.keep(self._place, self.passing.found)
        return True

    def refused(self) -> None:
        """Has what becomes of an ICMP error about this packet known by its conversation."""
        self._memory.tracker.keep(self._place, self.passing.found)

    @property
    def _place(self) -> Place:
        return (self._machine.host, self._netns, self.passing.zone)

    def _track(self) -> None:
        if self.passing.found.state == UNTRACKED or not self._machine.tracks(self._netns):
            return
        found = self._memory.tracker.find(self._place, self.packet)
        self.passing = replace(self.passing, found=found)
        if found.state not in (NEW, UNTRACKED):
            self.steps.append(Track(zone=self.passing.zone, state=found.state))

    def _translated(self, hook: str) -> bool:
        """Translates a packet: as rules say, for a conversation's first; as it was decided then, for all after it."""
        side, found = _SIDES[hook], self.passing.found
        connection = found.connection
        if connection is None:
            return True
        if found.state == NEW and side not in connection.chosen:
            passes = self._passes("nat", hook)
            if passes:
                connection.chosen.add(side)
            return passes
        before, after = self.packet, translated(self.packet, found, side)
        changed = tuple(Changed(*one) for one in differences(before, after))
        if before != after:
            self.change(after, *([Nat(changed=changed)] if changed else []))
        return True

    def _passes(self, table: str, hook: str) -> bool:
        rules = self._machine.rules(self._netns, self._version, table)
        outcome = consult(rules, hook, self.passing, self._own(hook))
        self.passing = outcome.passing
        self.steps += outcome.steps
        if outcome.passes:
            return True
        self.refusal = outcome.refusal
        if not any(isinstance(step, Warn) for step in outcome.steps):
            generic = Drop(code="filtered", text=f"table {table} does not let it {_WAYS[hook]}")
            self.steps.append(outcome.ends or generic)
        return False

    def _own(self, hook: str) -> str:
        """Gives the address that stands for the namespace itself at a hook."""
        if hook == "OUTPUT":
            return "127.0.0.1" if self._version == 4 else "::1"
        device = self.passing.entered if hook == "PREROUTING" else self.passing.leaving
        return self._machine.source_address(self._netns, device, self.packet.ip_dst) or self._own("OUTPUT")


_WAYS = {"PREROUTING": "in", "INPUT": "in", "FORWARD": "through", "OUTPUT": "out", "POSTROUTING": "out"}


def first_seen(packet: Packet, entered: str = "") -> Passing:
    """Gives a packet that nothing has looked at yet, by the device that it came by; empty: it is the stack's own."""
    return Passing(packet, entered)
