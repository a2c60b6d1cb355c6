"""Whose is it: who sees a row, with whom it is shared, and who may change it.

Called by the API's edge for every read, and by every decision for what it names.  The roles that a caller needs
(reader to see, member to change) are the edge's matter; this module knows ownership only.

Source: Neutron's default policies (conf/policies/{network,subnet,port,security_group,address_group}.py): owner, owner
of the network or group, shared, admin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from netglass.control.decision import Decision
from netglass.control.faults import disallowed, fault
from netglass.model.caller import Caller
from netglass.model.resources import (
    AddressGroup,
    AddressScope,
    FloatingIp,
    Network,
    Port,
    PortForwarding,
    RbacPolicy,
    Router,
    Row,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)
from netglass.model.snapshot import Snapshot

ACCESS_SHARED: Final = "access_as_shared"
ACCESS_EXTERNAL: Final = "access_as_external"
EVERYBODY: Final = "*"
"""The target of a policy that shares an object with all projects."""


def owns(caller: Caller, row: Row) -> bool:
    """Says whether the row belongs to the caller's project; what belongs to no project is nobody's."""
    return bool(row.project_id) and row.project_id == caller.project_id


def owns_network(caller: Caller, network_id: str, snapshot: Snapshot) -> bool:
    """Says whether the caller is admin, or their project owns the network."""
    if caller.is_admin:
        return True
    network = snapshot.get(Network, network_id)
    return network is not None and owns(caller, network)


def owns_group(caller: Caller, group_id: str, snapshot: Snapshot) -> bool:
    """Says whether the caller is admin, or their project owns the security group."""
    if caller.is_admin:
        return True
    group = snapshot.get(SecurityGroup, group_id)
    return group is not None and owns(caller, group)


def is_shared(snapshot: Snapshot, row: Row, project_id: str) -> bool:
    """Says whether a network, group, address group, pool or scope is shared with a project; one's own need not be."""
    open_to_all = isinstance(row, (Network, SubnetPool, AddressScope)) and row.shared
    return open_to_all or _is_granted(snapshot, row.id, ACCESS_SHARED, project_id)


def is_external(snapshot: Snapshot, network: Network) -> bool:
    """Says whether a network leads outside, be it for all projects or for some."""
    if network.external:
        return True
    policies: list[RbacPolicy] = snapshot.rows("rbac_policies_by_object", network.id)
    return any(policy.action == ACCESS_EXTERNAL for policy in policies)


def granted_ids(snapshot: Snapshot, project_id: str, object_type: str, action: str = ACCESS_SHARED) -> set[str]:
    """Gives the ids of what policies let a project use of a type of object."""
    targets = {EVERYBODY, project_id} - {""}
    policies: list[RbacPolicy] = [
        policy
        for target in sorted(targets)
        for policy in snapshot.rows("rbac_policies_by_target", (target, object_type, action))
    ]
    return {policy.object_id for policy in policies}


def _is_granted(snapshot: Snapshot, object_id: str, action: str, project_id: str) -> bool:
    targets = {EVERYBODY, project_id} - {""}
    return any(snapshot.ids("rbac_policies_by_grant", (object_id, action, target)) for target in targets)


def visible(caller: Caller, row: Row, snapshot: Snapshot) -> bool:
    """Says whether the caller may know that the row exists; what is not visible is answered with 404.

    Networks: one's own, and those shared with one's project or external to it.  Subnets: one's own, and those of such
    a network.  Ports: one's own, and those on one's own network.  Security and address groups, subnet pools, address
    scopes: one's own and shared ones.  Rules: one's own, and those of one's own group.  Other kinds: one's own.
    Admins see all.
    """
    if caller.is_admin or owns(caller, row):
        return True
    if isinstance(row, Network):
        outside = row.external or _is_granted(snapshot, row.id, ACCESS_EXTERNAL, caller.project_id)
        return outside or is_shared(snapshot, row, caller.project_id)
    if isinstance(row, (SecurityGroup, AddressGroup, SubnetPool, AddressScope)):
        return is_shared(snapshot, row, caller.project_id)
    if isinstance(row, SecurityGroupRule):
        return owns_group(caller, row.security_group_id, snapshot)
    if isinstance(row, Subnet):
        network = snapshot.get(Network, row.network_id)
        return network is not None and visible(caller, network, snapshot)
    if isinstance(row, Port):
        return owns_network(caller, row.network_id, snapshot)
    return False


def may_update(caller: Caller, row: Row, snapshot: Snapshot) -> bool:
    """Says whether ownership lets the caller change the row.

    A subnet: also the owner of its network.  A rule of a security group: the owner of the group, and nobody else.
    """
    if isinstance(row, SecurityGroupRule):
        return owns_group(caller, row.security_group_id, snapshot)
    if caller.is_admin or owns(caller, row):
        return True
    return isinstance(row, Subnet) and owns_network(caller, row.network_id, snapshot)


def may_delete(caller: Caller, row: Row, snapshot: Snapshot) -> bool:
    """Says whether ownership lets the caller delete the row: as `may_update`; a port, also the owner of its network."""
    if may_update(caller, row, snapshot):
        return True
    return isinstance(row, Port) and owns_network(caller, row.network_id, snapshot)


def require_update(d: Decision, row: Row) -> None:
    """Raises the kind's NotFound when the caller does not see the row, Forbidden when they may not change it."""
    if not may_update(d.caller, row, d.snapshot):
        raise _missing(row) if not visible(d.caller, row, d.snapshot) else disallowed(f"update_{row.kind}")


def require_delete(d: Decision, row: Row) -> None:
    """Raises the kind's NotFound when the caller does not see the row, Forbidden when they may not delete it."""
    if not may_delete(d.caller, row, d.snapshot):
        raise _missing(row) if not visible(d.caller, row, d.snapshot) else disallowed(f"delete_{row.kind}")


def find_network(d: Decision, network_id: str) -> Network:
    """Gives a network that the caller sees; raises NetworkNotFound when there is none."""
    network = d.snapshot.get(Network, network_id)
    if network is None or not visible(d.caller, network, d.snapshot):
        raise fault("NetworkNotFound", net_id=network_id)
    return network


def find_subnet(d: Decision, subnet_id: str) -> Subnet:
    """Gives a subnet that the caller sees; raises SubnetNotFound when there is none."""
    subnet = d.snapshot.get(Subnet, subnet_id)
    if subnet is None or not visible(d.caller, subnet, d.snapshot):
        raise fault("SubnetNotFound", subnet_id=subnet_id)
    return subnet


def find_port(d: Decision, port_id: str) -> Port:
    """Gives a port that the caller sees; raises PortNotFound when there is none."""
    port = d.snapshot.get(Port, port_id)
    if port is None or not visible(d.caller, port, d.snapshot):
        raise fault("PortNotFound", port_id=port_id)
    return port


def project_for(d: Decision, wanted: Mapping[str, Any]) -> str:
    """Gives the project that a new object belongs to: the one asked for, else the caller's own.

    Raises HTTPBadRequest when somebody who is no admin asks for another project, or when there is no project at all.
    """
    project_id: str = wanted.get("project_id") or d.caller.project_id
    if project_id != d.caller.project_id and not d.caller.is_admin:
        raise fault(
            "HTTPBadRequest",
            message="Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires"
            " admin privileges",
        )
    if not project_id:
        raise fault(
            "HTTPBadRequest",
            message="The token is not scoped to a project: name one with 'project_id', or use a project's token",
        )
    return project_id


_MISSING: Mapping[type[Row], tuple[str, str]] = {  # the fault, and the name of its words' value
    Network: ("NetworkNotFound", "net_id"),
    Subnet: ("SubnetNotFound", "subnet_id"),
    Port: ("PortNotFound", "port_id"),
    Router: ("RouterNotFound", "router_id"),
    FloatingIp: ("FloatingIPNotFound", "floatingip_id"),
    PortForwarding: ("PortForwardingNotFound", "id"),
    SecurityGroup: ("SecurityGroupNotFound", "id"),
    SecurityGroupRule: ("SecurityGroupRuleNotFound", "id"),
    AddressGroup: ("AddressGroupNotFound", "address_group_id"),
    SubnetPool: ("SubnetPoolNotFound", "subnetpool_id"),
    AddressScope: ("AddressScopeNotFound", "address_scope_id"),
}


def _missing(row: Row) -> Exception:
    if isinstance(row, RbacPolicy):
        return fault("RbacPolicyNotFound", object_type=row.object_type, id=row.id)
    name, value = _MISSING[type(row)]
    return fault(name, **{value: row.id})
