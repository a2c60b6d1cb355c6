"""Keeps named network namespaces.

A namespace of a wanted name that is not marked ours was there before us: it is used as it is and never deleted.
On an error it carries on with the next.
"""

from __future__ import annotations

from collections.abc import Callable

from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import HostState, Namespace, Thing
from netglass.host import namespaces
from netglass.host.conversations import Conversations


class Namespaces:
    """The applier of ``namespaces``."""

    kinds = ("namespaces",)

    def __init__(self, marks: NamespaceMarks, conversations: Conversations) -> None:
        self._marks = marks
        self._conversations = conversations

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives the marked namespaces, and wanted ones that somebody else made."""
        wanted = {namespace.name: namespace for namespace in desired.namespaces}
        live = namespaces.live_names()
        self._conversations.keep_only(live)
        found: list[Namespace] = []
        for name in sorted(live & (self._marks.names() | wanted.keys())):
            if name in wanted:
                found.append(wanted[name])
                continue
            owner, intent = self._marks.read(name)
            found.append(Namespace(owner=owner, intent=intent, name=name))
        return {"namespaces": tuple(found)}

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes namespaces with lo up."""
        errors: list[ApplyError] = []
        for thing in work.wanted:
            try:
                self._marks.add(thing)
                namespaces.make(thing.key)
            except OSError as error:
                errors.append(ApplyError(thing.kind, thing.key, str(error)))
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Takes the names away; the kernel deletes what is inside in its own time."""
        errors: list[ApplyError] = []
        for thing in things:
            try:
                self._conversations.forget(thing.key)
                namespaces.drop(thing.key)
                self._marks.drop(thing.key)
            except OSError as error:
                errors.append(ApplyError(kind, thing.key, str(error)))
        return errors

    def watch(self) -> list[int]:
        """Gives nothing: the loop looks at the directory of names by itself."""
        return []
