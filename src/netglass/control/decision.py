"""What every decision is given beside the request itself."""

from __future__ import annotations

from dataclasses import dataclass

from netglass.base.fresh import Fresh
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.snapshot import Snapshot


@dataclass(frozen=True)
class Decision:
    """One decision's surroundings.

    draft     collects the changes; the decision's only effect
    caller    who asks; decides what they see and may do
    settings  what the cloud's operator set
    fresh     the time, and new ids
    """

    draft: Draft
    caller: Caller
    settings: CloudSettings
    fresh: Fresh

    @property
    def snapshot(self) -> Snapshot:
        """Gives intent as it would be after what the decision has put so far."""
        return self.draft.now

    @property
    def now(self) -> str:
        """Gives the request's time, RFC 3339 in UTC."""
        return self.fresh.now
