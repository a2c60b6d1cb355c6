"""What every applier is: the keeper of a few kinds of objects on one machine.

The loop (``agent.loop``) asks each applier what is there (`Applier.observe`), lets ``desired.diff.plan`` compare it
with what is wanted, and hands back the difference, kind by kind in the order of ``desired.order``: first everything
that makes or changes (`Applier.apply`), and only when nothing of that is left, what must go (`Applier.remove`), since
the kernel takes 20-50 ms to delete a device.  An applier remembers nothing that it can read back.

Rules for an applier:

- `observe` writes nothing.  It gives *ours* whole (by the marks in ``desired.state``), and of what belongs to others
  only objects that `desired` names (awaited ones, and bridges or namespaces that were there before us).  Where a
  desired field says "as it is", the observed value repeats it, so that equal means: nothing to do.
- `apply` and `remove` are idempotent, touch only what differs, and go on after an object that fails: it is returned
  as an `ApplyError` and tried again later with everything else that still differs.
- An applier knows nothing of intent, and nothing of the other appliers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import msgspec

from netglass.base.errors import ApplyError
from netglass.desired.state import HostState, Thing


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made and changed of one kind in one round."""

    kind: str
    add: tuple[Thing, ...] = ()  # wanted, and not there
    change: tuple[tuple[Thing, Thing], ...] = ()  # (observed, wanted) of equal key

    @property
    def wanted(self) -> tuple[Thing, ...]:
        """Gives all objects that must be in place afterwards."""
        return self.add + tuple(new for _, new in self.change)

    def __bool__(self) -> bool:
        return bool(self.add or self.change)


class Applier(Protocol):
    """Keeps some kinds of objects equal to their desired value."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds it keeps, as in ``desired.state``; each kind has one applier."""

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Reads back everything of its kinds that is ours, and what `desired` names of others.

        Gives an entry for each of `kinds`.  Raises ApplyError when nothing can be read at all (a dead daemon); the
        round then leaves these kinds alone.
        """

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes and changes; gives the objects that failed, each with its evidence."""

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes objects as they were observed.

        hurry  says that something more urgent has come up: stop after the object at hand and return; what is left
               comes again
        """

    def watch(self) -> list[int]:
        """Gives file descriptors that become readable when an object of its kinds may have changed, such as pidfds.

        Asked after every round.  When one is readable, the applier's kinds are observed again; it must read or close
        what it watches in `observe`, so that it does not stay readable.
        """


@runtime_checkable
class Asking(Protocol):
    """An applier that reads through other programs, which can run while other appliers read."""

    def ask(self, desired: HostState) -> None:
        """Begins what the next `observe`, of the same state, waits for.  Raises as that does."""


@runtime_checkable
class Listening(Protocol):
    """An applier that goes by what it read last for as long as it hears of no change."""

    def doubt(self) -> None:
        """Has the next `observe` read everything anew, whatever was heard: news may have been lost."""


class NotThere(ApplyError):
    """What somebody else must make first is not there yet: a guest's tap, a port that a compute service plugs.

    It is waited for and no failure, where the object, or the port that it is about, is an awaited one.  Where it is
    ours to make, it is a failure that is told only when it lasts: the next round most often finds everything there.
    """
