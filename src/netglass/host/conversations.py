"""Open netlink conversations, one for each namespace in use, kept over rounds.

Opening one takes a visit to the namespace; reading through an open one takes microseconds.  A socket keeps its
namespace alive, so that those whose name has gone, or stands for another namespace now, are closed.
"""

from __future__ import annotations

from netglass.host import namespaces
from netglass.host.netlink import Netlink


class Conversations:
    """Netlink conversations by namespace; for one thread only."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[int, Netlink]] = {}

    def get(self, netns: str) -> Netlink:
        """Gives the conversation with a namespace; raises FileNotFoundError when there is no such namespace."""
        try:
            identity = namespaces.identity(netns)
        except FileNotFoundError:
            self.forget(netns)
            raise
        kept = self._open.get(netns)
        if kept is not None and kept[0] == identity:
            return kept[1]
        self.forget(netns)
        conversation = Netlink(netns)
        self._open[netns] = (identity, conversation)
        return conversation

    def forget(self, netns: str) -> None:
        """Closes the conversation with a namespace, if there is one."""
        kept = self._open.pop(netns, None)
        if kept is not None:
            kept[1].close()

    def keep_only(self, wanted: set[str]) -> None:
        """Closes all conversations but those with `wanted` and with our own namespace."""
        for netns in [name for name in self._open if name and name not in wanted]:
            self.forget(netns)
