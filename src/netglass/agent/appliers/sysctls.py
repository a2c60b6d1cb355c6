"""Keeps kernel settings of devices and namespaces that are ours; they go with those.

On an error it carries on with the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import HostState, Sysctl, Thing
from netglass.host import sysctl


def _by_netns(settings: Iterable[Thing]) -> dict[str, dict[str, Sysctl]]:
    found: dict[str, dict[str, Sysctl]] = defaultdict(dict)
    for setting in settings:
        assert isinstance(setting, Sysctl)
        found[setting.netns][setting.name] = setting
    return found


class Sysctls:
    """The applier of ``sysctls``."""

    kinds = ("sysctls",)

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives the settings that `desired` names, with the values that they have."""
        found: list[Sysctl] = []
        for netns, wanted in _by_netns(desired.sysctls).items():
            try:
                values = sysctl.read(netns, wanted)
            except FileNotFoundError:
                continue
            for name, value in values.items():
                setting = wanted[name]
                found.append(Sysctl(owner=setting.owner, intent=setting.intent, netns=netns, name=name, value=value))
        return {"sysctls": tuple(sorted(found, key=lambda setting: setting.key))}

    def apply(self, work: Work) -> list[ApplyError]:
        """Writes the settings."""
        errors: list[ApplyError] = []
        for netns, wanted in _by_netns(work.wanted).items():
            try:
                failed = sysctl.write(netns, {name: setting.value for name, setting in wanted.items()})
            except OSError as error:
                failed = dict.fromkeys(wanted, error)
            errors += [ApplyError("sysctls", wanted[name].key, str(error)) for name, error in failed.items()]
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Does nothing: a setting of ours ends with the device or namespace that it is of."""
        return []

    def watch(self) -> list[int]:
        """Gives nothing: of what the kernel tells, the loop hears by netlink."""
        return []
