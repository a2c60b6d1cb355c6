"""Turns rows of the switch's database into the values they would be wanted as."""

from __future__ import annotations

import msgspec

from netglass.agent.appliers.marks import read_ids, without_ids
from netglass.desired.state import DEAD_VLAN, Bridge, PortTag, SwitchPort
from netglass.host.ovsdb import OvsBridge, OvsPort


def observed_bridge(row: OvsBridge, wanted: Bridge | None) -> Bridge | None:
    """Gives the bridge that a row is: ours as it is, another's as it is wanted; None when it does not concern us."""
    mark = read_ids(row.external_ids)
    if mark is None:
        return wanted
    protocols = row.protocols
    if wanted is not None and set(wanted.protocols) == set(protocols):
        protocols = wanted.protocols
    return Bridge(
        owner=mark[0],
        intent=mark[1],
        name=row.name,
        datapath_type=row.datapath_type,
        fail_mode=row.fail_mode,
        protocols=protocols,
        controllers=row.controllers,
    )


def observed_port(row: OvsPort, wanted: SwitchPort | None) -> SwitchPort | None:
    """Gives the port that a row is; None when it does not concern us, or when the switch has no device for it.

    external_ids that others add beside ours do not count as a difference.
    """
    mark = read_ids(row.external_ids)
    if wanted is None:
        return None if mark is None else _as_it_is(row, mark[0], mark[1])
    if wanted.awaited:
        fits = row.bridge == wanted.bridge and wanted.external_ids.items() <= row.interface_ids.items()
        return wanted if fits and row.ofport > 0 else None
    if row.ofport < 0 or row.error:
        return None
    if mark is None:
        return wanted if row.bridge == wanted.bridge else None
    seen = _as_it_is(row, wanted.owner, wanted.intent)
    ids = wanted.external_ids if wanted.external_ids.items() <= seen.external_ids.items() else seen.external_ids
    trunk = wanted.trunk and seen.trunk
    number = row.ofport if wanted.ofport else 0
    return msgspec.structs.replace(seen, external_ids=ids, trunk=trunk, ofport=number)


def observed_tag(row: OvsPort, wanted: PortTag | None, tagged: str) -> PortTag | None:
    """Gives the tag of a port that is wanted, or that we once set on another's port.

    0 stands for none, or for one that the port's mode undoes.

    tagged  key of external_ids under which another's port remembers what we tagged it for
    """
    vlan, guarded = _vlan(row)
    if wanted is not None:
        return PortTag(owner=wanted.owner, intent=wanted.intent, port=row.name, vlan=vlan, guarded=guarded)
    if tagged in row.external_ids:
        return PortTag(owner="", intent=(row.external_ids[tagged],), port=row.name, vlan=vlan, guarded=guarded)
    return None


def _vlan(row: OvsPort) -> tuple[int, bool]:
    """Gives the tag that a port has, and whether it is on no VLAN for NORMAL."""
    if (row.vlan_mode, row.trunks) == ("trunk", (DEAD_VLAN,)):
        return (row.tag or 0, row.tag != DEAD_VLAN)
    if (row.vlan_mode, row.trunks) == ("", ()) and row.tag != DEAD_VLAN:
        return (row.tag or 0, False)
    return (0, False)


def _as_it_is(row: OvsPort, owner: str, intent: tuple[str, ...]) -> SwitchPort:
    return SwitchPort(
        owner=owner,
        intent=intent,
        bridge=row.bridge,
        name=row.name,
        type=row.type,
        options=row.options,
        external_ids=without_ids(row.interface_ids),
        trunk=row.tag is None and not row.trunks and row.vlan_mode in ("", "trunk"),
    )
