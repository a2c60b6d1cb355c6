"""Keeps neighbours told of our addresses: each is announced once after it was set, however often it is set anew.

Whether that was done, and in which turn, is remembered in a file, beside the kernel's own time at which the address was
set: so an agent
that was killed in between owes nothing that its successor does not see.

On an error it carries on with the next.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import Announcement, HostState, Thing
from netglass.host.announcing import announce
from netglass.host.children import replace_file
from netglass.host.conversations import Conversations

_Birth = tuple[int, int]  # the device's index, and when the address was set (hundredths of seconds after boot)
_Told = tuple[int, int, int]  # the same, and the turn


class Announcements:
    """The applier of ``announcements``.

    path  the file that remembers
    """

    kinds = ("announcements",)

    def __init__(self, path: Path, conversations: Conversations) -> None:
        self._path = path
        self._conversations = conversations
        self._told = _read(path)

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives the wanted ones that were made since their address was set."""
        births = self._births({thing.netns for thing in desired.announcements})
        done = [
            msgspec.structs.replace(thing, turn=self._told[thing.key][2])
            for thing in desired.announcements
            if thing.key in self._told and self._told[thing.key][:2] == births.get(thing.key)
        ]
        if len(done) < len(self._told):
            # Those of addresses that are no more; rewritten with the next announcement.
            self._told = {thing.key: self._told[thing.key] for thing in done}
        return {"announcements": tuple(done)}

    def apply(self, work: Work) -> list[ApplyError]:
        """Announces."""
        errors: list[ApplyError] = []
        births = self._births({thing.netns for thing in work.wanted if isinstance(thing, Announcement)})
        for thing in work.wanted:
            assert isinstance(thing, Announcement)
            birth = births.get(thing.key)
            if birth is None:
                errors.append(ApplyError(thing.kind, thing.key, f"{thing.device} has no address {thing.address}"))
                continue
            try:
                announce(thing.netns, thing.device, thing.address)
                self._told[thing.key] = (*birth, thing.turn)
            except OSError as error:
                errors.append(ApplyError(thing.kind, thing.key, str(error)))
        replace_file(self._path, msgspec.json.encode(self._told), 0o600)
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Does nothing: what was said cannot be taken back."""
        return []

    def watch(self) -> list[int]:
        """Gives nothing: the loop listens to netlink for all appliers."""
        return []

    def _births(self, spaces: set[str]) -> dict[str, _Birth]:
        found: dict[str, _Birth] = {}
        for netns in spaces:
            try:
                conversation = self._conversations.get(netns)
            except FileNotFoundError:
                continue
            name_of = {device.index: device.name for device in conversation.devices()}
            for address in conversation.addresses():
                key = f"{netns}/{name_of.get(address.index, '')} {address.cidr.partition('/')[0]}"
                found[key] = (address.index, address.born)
        return found


def _read(path: Path) -> dict[str, _Told]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, _Told])
    except (OSError, msgspec.DecodeError):
        return {}
