"""Reads the tables that the ``openstack`` client prints."""

from __future__ import annotations


def rows(text: str) -> tuple[dict[str, str], ...]:
    """Gives the lines of a table, each by its headings; what stands outside of a table is left out."""
    cells = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    if not cells:
        return ()
    return tuple(dict(zip(cells[0], line, strict=False)) for line in cells[1:])


def fields(text: str) -> dict[str, str]:
    """Gives a table of fields and values, as ``show`` and ``create`` print one."""
    return {row["Field"]: row["Value"] for row in rows(text) if "Field" in row}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def addresses_on(cell: str, network: str) -> tuple[str, ...]:
    """Gives a server's addresses on a network out of its cell ``net1=10.0.0.5, 10.0.0.6; net2=…``."""
    for part in cell.split(";"):
        name, _, addresses = part.strip().partition("=")
        if name == network:
            return tuple(address.strip() for address in addresses.split(","))
    return ()
