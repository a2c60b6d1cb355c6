"""Neutron's faults by name: which status each has, and the words that clients and people know.

Clients parse the type (`NeutronError.type`) and people search for the words, so both are Neutron's.
Source: neutron-lib's exceptions and neutron's IPAM exceptions, master of summer 2026.
"""

from __future__ import annotations

from netglass.base.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable, UserError
from netglass.control.pool_faults import POOL_WORDS
from netglass.control.security_faults import SECURITY_WORDS

_WORDS: dict[str, tuple[type[UserError], str]] = {
    **SECURITY_WORDS,
    **POOL_WORDS,
    # 404
    "NetworkNotFound": (NotFound, "Network {net_id} could not be found."),
    "SubnetNotFound": (NotFound, "Subnet {subnet_id} could not be found."),
    "PortNotFound": (NotFound, "Port {port_id} could not be found."),
    "RouterNotFound": (NotFound, "Router {router_id} could not be found"),
    "FloatingIPNotFound": (NotFound, "Floating IP {floatingip_id} could not be found"),
    "PortForwardingNotFound": (NotFound, "Port Forwarding {id} could not be found."),
    "RouterInterfaceNotFound": (NotFound, "Router {router_id} does not have an interface with id {port_id}"),
    "RouterInterfaceNotFoundForSubnet": (NotFound, "Router {router_id} has no interface on subnet {subnet_id}"),
    "ExternalGatewayForFloatingIPNotFound": (
        NotFound,
        "External network {external_network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot associate"
        " Port {port_id} with a Floating IP.",
    ),
    "InvalidDHCPAgent": (NotFound, "Agent {id} is not a valid DHCP Agent or has been disabled."),
    "AvailabilityZoneNotFound": (NotFound, "AvailabilityZone {availability_zone} could not be found."),
    "TenantQuotaNotFound": (NotFound, "Quota for project {project_id} could not be found."),
    "TagNotFound": (NotFound, "Tag {tag} could not be found."),
    # 400
    "InvalidInput": (Invalid, "Invalid input for operation: {error_message}."),
    "BadRequest": (Invalid, "Bad {resource} request: {msg}."),
    "HTTPBadRequest": (Invalid, "{message}"),
    "InvalidAllocationPool": (Invalid, "The allocation pool {pool} is not valid."),
    "OutOfBoundsAllocationPool": (Invalid, "The allocation pool {pool} spans beyond the subnet cidr {subnet_cidr}."),
    "InvalidIpForNetwork": (
        Invalid,
        "IP address {ip_address} is not a valid IP for any of the subnets on the specified network.",
    ),
    "InvalidIpForSubnet": (Invalid, "IP address {ip_address} is not a valid IP for the specified subnet."),
    "AllocationOnAutoAddressSubnet": (
        Invalid,
        "IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet_id} as the subnet is configured"
        " for automatic addresses",
    ),
    "DNSNameServersExhausted": (
        Invalid,
        "Unable to complete operation for {subnet_id}. The number of DNS nameservers exceeds the limit {quota}.",
    ),
    "HostRoutesExhausted": (
        Invalid,
        "Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}.",
    ),
    "InvalidSubnetServiceType": (
        Invalid,
        "Subnet service type {service_type} does not correspond to a valid device owner.",
    ),
    "ExternalIpAddressExhausted": (Invalid, "Unable to find any IP address on external network {net_id}."),
    "InvalidRoutes": (Invalid, "Invalid format for routes: {routes}, {reason}"),
    "RoutesExhausted": (
        Invalid,
        "Unable to complete operation for {router_id}. The number of routes exceeds the maximum {quota}.",
    ),
    "SubnetMismatchForPort": (Invalid, "Subnet on port {port_id} does not match the requested subnet {subnet_id}"),
    # 403
    "PolicyNotAuthorized": (Forbidden, "({rule}) is disallowed by policy"),
    # 409
    "NetworkInUse": (Conflict, "Unable to complete operation on network {net_id}. {reason}."),
    "InvalidSharedSetting": (
        Conflict,
        "Unable to reconfigure sharing settings for network {network}. Multiple projects are using it.",
    ),
    "NetworkMTUSubnetConflict": (Conflict, "MTU of {net_id} is not valid, subnet requires a minimum of {mtu}"),
    "VlanIdInUse": (
        Conflict,
        "Unable to create the network. The VLAN {vlan_id} on physical network {physical_network} is in use.",
    ),
    "TunnelIdInUse": (Conflict, "Unable to create the network. The tunnel ID {tunnel_id} is in use."),
    "FlatNetworkInUse": (
        Conflict,
        "Unable to create the flat network. Physical network {physical_network} is in use.",
    ),
    "SubnetInUse": (
        Conflict,
        "Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from this subnet.",
    ),
    "GatewayIpInUse": (
        Conflict,
        "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update.",
    ),
    "GatewayConflictWithAllocationPools": (Conflict, "Gateway ip {ip_address} conflicts with allocation pool {pool}."),
    "OverlappingAllocationPools": (
        Conflict,
        "Found overlapping allocation pools: {pool_1} {pool_2} for subnet {subnet_cidr}.",
    ),
    "IpAddressAlreadyAllocated": (Conflict, "IP address {ip} already allocated in subnet {subnet_id}"),
    "IpAddressGenerationFailure": (Conflict, "No more IP addresses available on network {net_id}."),
    "IpAddressGenerationFailureNoMatchingSubnet": (
        Conflict,
        "No valid service subnet for the given device owner, network {network_id}, service type {service_type}.",
    ),
    "MacAddressInUse": (
        Conflict,
        "Unable to complete operation for network {net_id}. The mac address {mac} is in use.",
    ),
    "PortBound": (
        Conflict,
        "Unable to complete operation on port {port_id}, port is already bound, port type: {vif_type},"
        " old_mac {old_mac}, new_mac {new_mac}.",
    ),
    "PortInUse": (
        Conflict,
        "Unable to complete operation on port {port_id} for network {net_id}. Port already has an attached device"
        " {device_id}.",
    ),
    "ServicePortInUse": (Conflict, "Port {port_id} cannot be deleted directly via the port API: {reason}."),
    "ExternalNetworkInUse": (
        Conflict,
        "External network {net_id} cannot be updated to be made non-external, since it has existing gateway ports.",
    ),
    "RouterInUse": (Conflict, "Router {router_id} {reason}"),
    "RouterHostedByL3Agent": (
        Conflict,
        "The router {router_id} has been already hosted by the L3 Agent {agent_id}.",
    ),
    "RouterNotHostedByL3Agent": (Conflict, "The router {router_id} is not hosted by L3 agent {agent_id}."),
    "InvalidL3Agent": (Conflict, "Agent {id} is not a L3 Agent or has been disabled"),
    "NetworkHostedByDHCPAgent": (
        Conflict,
        "The network {network_id} has been already hosted by the DHCP Agent {agent_id}.",
    ),
    "NetworkNotHostedByDhcpAgent": (
        Conflict,
        "The network {network_id} is not hosted by the DHCP Agent {agent_id}.",
    ),
    "RouterInterfaceInUseByFloatingIP": (
        Conflict,
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or"
        " more floating IPs.",
    ),
    "RouterInterfaceInUseByRoute": (
        Conflict,
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or"
        " more routes.",
    ),
    "RouterExternalGatewayInUseByFloatingIp": (
        Conflict,
        "Gateway cannot be updated for router {router_id}, since a gateway to external network {net_id} is required by"
        " one or more floating IPs.",
    ),
    "FloatingIPPortAlreadyAssociated": (
        Conflict,
        "Cannot associate floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip},"
        " as that fixed IP already has a floating IP on external network {net_id}.",
    ),
    "FipInUseByPortForwarding": (Conflict, "Floating IP {id} in use by Port Forwarding resources."),
    "PortHasBindingFloatingIP": (
        Conflict,
        "Cannot create port forwarding to floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed"
        " IP {fixed_ip}, as that port already has a binding floating IP.",
    ),
    "DeviceIDNotOwnedByTenant": (
        Conflict,
        "The following device_id {device_id} is not owned by your project or matches another project router.",
    ),
    "OverQuota": (Conflict, "Quota exceeded for resources: {overs}."),
    # 503
    "NoNetworkAvailable": (
        Unavailable,
        "Unable to create the network. No project network is available for allocation.",
    ),
    "NetworkMacAddressGenerationFailure": (Unavailable, "Unable to generate unique mac on network {net_id}."),
}


def fault(name: str, *, detail: str = "", **values: object) -> UserError:
    """Gives the error that carries Neutron's fault `name`, its words filled with `values`; the caller raises it.

    detail  what Neutron's words leave out: what was found, and what to do
    """
    kind, words = _WORDS[name]
    error = kind(words.format(**values), fault=name)
    error.detail = detail
    return error


def invalid_input(message: str, *, detail: str = "") -> UserError:
    """Gives ``InvalidInput``: the request contradicts itself or the state of what it names (400)."""
    return fault("InvalidInput", error_message=message, detail=detail)


def bad_value(attribute: str, reason: str) -> UserError:
    """Gives what Neutron's attribute validation answers: ``Invalid input for <attribute>. Reason: …`` (400)."""
    return fault("HTTPBadRequest", message=f"Invalid input for {attribute}. Reason: {reason}.")


def disallowed(rule: str) -> UserError:
    """Gives ``PolicyNotAuthorized`` for a policy rule, such as ``rule:create_port:mac_address`` (403)."""
    return fault("PolicyNotAuthorized", rule=f"rule:{rule}")
