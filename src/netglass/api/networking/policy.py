"""Who may do what: one table from rule names to small predicates.

A rule is asked with the caller, the target and the snapshot, and says yes or no.  The target is a row, or a `Target`
where the object is not there yet or is about to change.  A name that is not in the table is denied; declarations and
table are compared at start-up, so that neither a verb nor a guarded attribute is without a rule, nor a rule without
use (CVE 2026-49299: a rule whose name was mistyped let everybody in).

The names and the meaning of rules are Neutron's.  What depends on values that an object has already (an address that
stays is no change) is judged by the decision as well, which can only be stricter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netglass.api.networking.declare import Resource
from netglass.base.errors import Bug
from netglass.control.faults import disallowed
from netglass.control.owners import is_privileged
from netglass.control.visibility import EVERYBODY, may_delete, may_update, owns, owns_group, owns_network, visible
from netglass.model.caller import Caller
from netglass.model.snapshot import Snapshot

Rule = Callable[[Caller, Any, Snapshot], bool]


@dataclass(frozen=True)
class Target:
    """What a request is about to make or change.

    project_id  the owner, as it is or will be
    network_id  the network it lies in; empty when in none
    wanted      the values that the request gives, by Netglass's names
    row         what is there now; None when the object is to be made
    """

    project_id: str
    network_id: str = ""
    wanted: Mapping[str, Any] = field(default_factory=dict)
    row: Any = None


def anybody(caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Lets in everybody with a token."""
    return True


def admin(caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Lets in administrators."""
    return caller.is_admin


def reader(caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Lets in administrators and everybody of the owning project."""
    return caller.is_admin or (bool(caller.roles) and owns(caller, target))


def sees(caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Lets in whoever has any role and sees the row, as ``control.visibility`` says for its kind."""
    return bool(caller.roles) and visible(caller, target, snapshot)


def member(caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Lets in administrators and members of the owning project; not its readers."""
    return caller.may_write and reader(caller, target, snapshot)


def network_member(caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Lets in administrators and members of the project that owns the target's network."""
    return caller.may_write and owns_network(caller, target.network_id, snapshot)


def group_member(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets in administrators and members of the project that owns the rule's security group."""
    return caller.may_write and owns_group(caller, target.wanted.get("security_group_id", ""), snapshot)


def shares_with_one(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets only administrators share with everybody."""
    return caller.is_admin or (caller.may_write and target.wanted.get("target_project") != EVERYBODY)


def updates(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets in whoever may write and whose the row is, as ``control.visibility`` says for its kind."""
    return caller.may_write and may_update(caller, target.row, snapshot)


def deletes(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets in whoever may write and may delete the row, as ``control.visibility`` says for its kind."""
    return caller.may_write and may_delete(caller, target.row, snapshot)


def chooses_addresses(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets choose an address on one's own network; on a shared one just the subnet."""
    named = any("ip_address" in wanted for wanted in target.wanted.get("fixed_ips") or ())
    return network_member(caller, target, snapshot) if named else caller.may_write


def takes_device_owner(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets only the network's members make a port look like the cloud's own, or no longer so (CVE 2015-5240)."""
    present = "" if target.row is None else target.row.device_owner
    owners = (present, str(target.wanted.get("device_owner", "")))
    if any(is_privileged(owner.strip().lower()) for owner in owners):
        return network_member(caller, target, snapshot)
    return caller.may_write


def sets_port_security(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets everybody who may write switch it on, and members of the network off."""
    on = target.wanted.get("port_security_enabled") is True
    return caller.may_write if on else network_member(caller, target, snapshot)


def sets_gateway(caller: Caller, target: Target, snapshot: Snapshot) -> bool:
    """Lets the owner choose a router's external network; SNAT and addresses on it only administrators."""
    gateway = target.wanted.get("external_gateway_info") or {}
    return caller.is_admin if gateway.keys() - {"network_id"} else member(caller, target, snapshot)


POLICY: Mapping[str, Rule] = {
    "get_network": sees,
    "get_network:provider:network_type": admin,
    "get_network:provider:physical_network": admin,
    "get_network:provider:segmentation_id": admin,
    "create_network": member,
    "create_network:shared": admin,
    "create_network:router:external": admin,
    "create_network:provider:network_type": admin,
    "create_network:provider:physical_network": admin,
    "create_network:provider:segmentation_id": admin,
    "update_network": updates,
    "update_network:provider:network_type": admin,
    "update_network:provider:physical_network": admin,
    "update_network:provider:segmentation_id": admin,
    "update_network:shared": admin,
    "update_network:router:external": admin,
    "delete_network": deletes,
    "get_subnet": sees,
    "create_subnet": network_member,
    "create_subnet:service_types": admin,
    "update_subnet": updates,
    "update_subnet:service_types": admin,
    "delete_subnet": deletes,
    "get_subnetpool": sees,
    "create_subnetpool": member,
    "create_subnetpool:shared": admin,
    "create_subnetpool:is_default": admin,
    "update_subnetpool": updates,
    "update_subnetpool:is_default": admin,
    "delete_subnetpool": deletes,
    "add_prefixes": updates,
    "remove_prefixes": updates,
    "onboard_network_subnets": updates,
    "get_address_scope": sees,
    "create_address_scope": member,
    "create_address_scope:shared": admin,
    "update_address_scope": updates,
    "update_address_scope:shared": admin,
    "delete_address_scope": deletes,
    "get_port": sees,
    "get_port:binding:host_id": admin,
    "get_port:binding:profile": admin,
    "get_port:binding:vif_details": admin,
    "get_port:binding:vif_type": admin,
    "create_port": member,
    "create_port:binding:host_id": admin,
    "create_port:binding:profile": admin,
    "create_port:device_owner": takes_device_owner,
    "create_port:fixed_ips": chooses_addresses,
    "create_port:mac_address": network_member,
    "create_port:port_security_enabled": sets_port_security,
    "create_port:allowed_address_pairs": network_member,
    "update_port": updates,
    "update_port:allowed_address_pairs": network_member,
    "update_port:binding:host_id": admin,
    "update_port:binding:profile": admin,
    "update_port:device_owner": takes_device_owner,
    "update_port:mac_address": admin,
    "update_port:port_security_enabled": sets_port_security,
    "delete_port": deletes,
    "get_security_group": sees,
    "create_security_group": member,
    "update_security_group": updates,
    "delete_security_group": deletes,
    "get_security_group_rule": sees,
    "create_security_group_rule": group_member,
    "delete_security_group_rule": deletes,
    "get_default_security_group_rule": anybody,
    "create_default_security_group_rule": admin,
    "delete_default_security_group_rule": admin,
    "get_address_group": sees,
    "create_address_group": member,
    "update_address_group": updates,
    "delete_address_group": deletes,
    "add_addresses": updates,
    "remove_addresses": updates,
    "get_rbac_policy": sees,
    "create_rbac_policy": member,
    "create_rbac_policy:target_tenant": shares_with_one,
    "create_rbac_policy:target_project": shares_with_one,
    "update_rbac_policy": updates,
    "update_rbac_policy:target_tenant": shares_with_one,
    "update_rbac_policy:target_project": shares_with_one,
    "delete_rbac_policy": deletes,
    "get_router": sees,
    "create_router": member,
    "create_router:external_gateway_info": sets_gateway,
    "update_router": updates,
    "update_router:external_gateway_info": sets_gateway,
    "delete_router": deletes,
    "add_router_interface": updates,
    "remove_router_interface": updates,
    "add_extraroutes": updates,
    "remove_extraroutes": updates,
    "get_floatingip": sees,
    "create_floatingip": member,
    "create_floatingip:floating_ip_address": admin,
    "update_floatingip": updates,
    "delete_floatingip": deletes,
    "get_floatingip_port_forwarding": sees,
    "create_floatingip_port_forwarding": member,
    "update_floatingip_port_forwarding": updates,
    "delete_floatingip_port_forwarding": deletes,
    "get_agent": admin,
    "update_agent": admin,
    "delete_agent": admin,
    "create_l3-router": admin,
    "get_l3-routers": admin,
    "delete_l3-router": admin,
    "get_l3-agents": admin,
    "create_dhcp-network": admin,
    "get_dhcp-networks": admin,
    "delete_dhcp-network": admin,
    "get_dhcp-agents": admin,
    "get_availability_zone": anybody,
    "get_service_provider": anybody,
    "get_quota": reader,
    "update_quota": admin,
    "delete_quota": admin,
}

# A rule that hides an attribute is asked once for a whole list, so it must not look at the object.
_OF_THE_CALLER_ALONE: frozenset[Rule] = frozenset({anybody, admin})

_OF_NO_RESOURCE = frozenset(
    {
        *("get_quota", "update_quota", "delete_quota"),  # asked by api.networking.quotas
        *("create_l3-router", "get_l3-routers", "delete_l3-router", "get_l3-agents"),  # by api.networking.schedulers
        *("create_dhcp-network", "get_dhcp-networks", "delete_dhcp-network", "get_dhcp-agents"),
    }
)


def permits(rule: str, caller: Caller, target: Any, snapshot: Snapshot) -> bool:
    """Says whether a rule lets the caller in; an unknown rule lets in nobody."""
    predicate = POLICY.get(rule)
    return predicate is not None and predicate(caller, target, snapshot)


def require(rule: str, caller: Caller, target: Any, snapshot: Snapshot) -> None:
    """Raises Forbidden, in Neutron's words, when a rule does not let the caller in."""
    if not permits(rule, caller, target, snapshot):
        raise disallowed(rule)


def asked_rules(resources: Iterable[Resource]) -> frozenset[str]:
    """Gives the names of all rules that the declarations ask for."""
    asked = set(_OF_NO_RESOURCE)
    for resource in resources:
        asked.update(resource.rule(verb) for verb in resource.verbs)
        asked.update(action.name for action in resource.actions)
        asked.update(resource.rule(verb, a.name) for a in resource.attributes for verb in a.guards)
    return frozenset(asked)


def check_policy(resources: Iterable[Resource], policy: Mapping[str, Rule] = POLICY) -> None:
    """Raises Bug, naming the rules, when table and declarations do not match; called at start-up."""
    declared = tuple(resources)
    asked = asked_rules(declared)
    if missing := sorted(asked - policy.keys()):
        raise Bug(f"policy has no rule for {', '.join(missing)}: add them to api.networking.policy.POLICY")
    if unused := sorted(policy.keys() - asked):
        raise Bug(f"nothing asks the policy rules {', '.join(unused)}: the names do not match a declaration")
    hiding = {r.rule("get", a.name) for r in declared for a in r.attributes if "get" in a.guards}
    if looking := sorted(name for name in hiding if policy[name] not in _OF_THE_CALLER_ALONE):
        raise Bug(f"the rules {', '.join(looking)} hide an attribute, and may only look at the caller")
