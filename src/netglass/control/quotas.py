"""Quotas: how many networks, subnets, ports, routers, floating IPs, groups, rules, shares and more a project may have.

Counts come from the snapshot's indexes, so a check costs the same in a cloud of any size.  What the system makes
(DHCP ports, default groups) counts as Neutron counts it, under the network's project, and is never refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from netglass.control.decision import Decision
from netglass.control.faults import bad_value, fault
from netglass.model.caller import CloudSettings
from netglass.model.resources import Quota
from netglass.model.snapshot import Snapshot

UNLIMITED = -1
"""A limit that limits nothing; so does any other negative one."""

_LARGEST = 2_147_483_647  # a signed 32-bit column in Neutron; larger limits are refused there
_INDEX = {
    "network": "networks_by_project",
    "subnet": "subnets_by_project",
    "subnetpool": "subnetpools_by_project",
    "port": "ports_by_project",
    "router": "routers_by_project",
    "floatingip": "floating_ips_by_project",
    "security_group": "security_groups_by_project",
    "security_group_rule": "security_group_rules_by_project",
    "rbac_policy": "rbac_policies_by_project",
    "port_forwarding": "port_forwardings_by_project",
}
_SWITCHES = ("force", "check_limit")


def limits(snapshot: Snapshot, settings: CloudSettings, project_id: str) -> dict[str, int]:
    """Gives a project's limits by resource: its own, and the cloud's defaults for the rest."""
    own = snapshot.get(Quota, project_id)
    return settings.default_quotas | (own.limits if own is not None else {})


def usage(snapshot: Snapshot, project_id: str) -> dict[str, int]:
    """Gives how many objects of each limited resource a project has."""
    return {resource: len(snapshot.ids(index, project_id)) for resource, index in _INDEX.items()}


def check(d: Decision, resource: str, project_id: str, count: int = 1) -> None:
    """Raises OverQuota when `count` more of `resource` would be more than the project may have.

    Each object of a bulk request is counted once it is on the draft, so bulk callers check one by one.
    """
    own = d.snapshot.get(Quota, project_id)
    limit = own.limits.get(resource) if own is not None else None
    if limit is None:
        limit = d.settings.default_quotas.get(resource, UNLIMITED)
    if limit < 0:
        return
    used = len(d.snapshot.ids(_INDEX[resource], project_id))
    if used + count > limit:
        raise fault(
            "OverQuota",
            overs=[resource],
            detail=f"Project {project_id} has {used} of at most {limit} of resource {resource}.",
        )


def decide_update_quota(d: Decision, project_id: str, wanted: Mapping[str, int | bool]) -> Quota:
    """Sets some of a project's limits and keeps its others; gives the row.

    wanted  limits by resource; -1 is without limit.  ``force`` true skips the check against what is used already;
            ``check_limit`` is accepted and means nothing (Neutron since 2025.1)

    Raises HTTPBadRequest for an unknown resource, a number out of range, or one below what is used.
    """
    changes = {name: int(value) for name, value in wanted.items() if name not in _SWITCHES}
    for resource, limit in changes.items():
        if resource not in d.settings.default_quotas:
            raise bad_value("quota", f"'{resource}' is not a resource with a quota")
        if not UNLIMITED <= limit <= _LARGEST:
            raise bad_value(resource, f"'{limit}' is not in range {UNLIMITED} through {_LARGEST}")
    if not wanted.get("force"):
        _refuse_below_usage(usage(d.snapshot, project_id), changes)
    own = d.snapshot.get(Quota, project_id)
    if own is None:
        return d.draft.put(
            Quota(id=project_id, project_id=project_id, limits=changes, created_at=d.now, updated_at=d.now)
        )
    return d.draft.update(own, d.now, limits=own.limits | changes)


def _refuse_below_usage(used: Mapping[str, int], changes: Mapping[str, int]) -> None:
    for resource, limit in changes.items():
        if 0 <= limit < used.get(resource, 0):
            raise fault(
                "HTTPBadRequest",
                message=f"Quota limit {limit} for {resource} must be greater than or equal to already used"
                f" {used[resource]}",
            )


def decide_delete_quota(d: Decision, project_id: str) -> None:
    """Puts a project back to the cloud's defaults; raises TenantQuotaNotFound when it has no limits of its own."""
    own = d.snapshot.get(Quota, project_id)
    if own is None:
        raise fault("TenantQuotaNotFound", project_id=project_id)
    d.draft.drop(own)
