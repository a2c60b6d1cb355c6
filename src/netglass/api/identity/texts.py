"""Texts that Identity takes: their lengths, and the characters that may be in them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from netglass.base.errors import Invalid
from netglass.control.identity import DOMAIN_ID

# Control characters are refused everywhere: names end up in logs, files and terminals.
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f]+\Z")]
Description = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*\Z")]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/\x00-\x1f\x7f]+\Z")]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+\Z")]
Password = Annotated[str, Meta(min_length=1, max_length=4096)]


def require_default_domain(domain_id: str | None) -> None:
    """Raises Invalid when another domain than the one there is is named; None names none."""
    if domain_id not in (None, DOMAIN_ID):
        raise Invalid(
            f"Could not find domain: {domain_id}. This cloud has one, {DOMAIN_ID!r}.", fault="ValidationError"
        )
