"""What a subnet's attributes demand of one another; nothing here looks at other objects.

Source: Neutron's validation of subnets, whose words these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from netglass.control.faults import bad_value, fault, invalid_input
from netglass.control.spaces import AUTO_MODES
from netglass.model.caller import CloudSettings
from netglass.model.resources import HostRoute, Subnet

CidrNetwork = IPv4Network | IPv6Network

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")

_SERVICE_PREFIXES = ("network:", "compute:", "neutron:", "baremetal:", "manila:")


def parsed_cidr(text: str, ip_version: int) -> CidrNetwork:
    """Reads a subnet's CIDR; raises HTTPBadRequest for host bits, InvalidInput for another family or no prefix."""
    try:
        network = ip_network(text)
    except ValueError:
        try:
            better = ip_network(text, strict=False)
        except ValueError:
            raise bad_value("cidr", f"'{text}' is not a valid IP subnet") from None
        raise bad_value("cidr", f"'{text}' isn't a recognized IP subnet cidr, '{better}' is recommended") from None
    refuse_other_family(ip_version, network.version, "cidr", text)
    if network.version == 6 and int(network.network_address) == 0:
        raise invalid_input("IPv6 subnet '::' is not supported")
    if network.prefixlen == 0:
        raise invalid_input("0 is not allowed as CIDR prefix length")
    return network


def refuse_other_family(ip_version: int, found: int, name: str, text: str) -> None:
    """Raises InvalidInput when an address is not of the subnet's IP version."""
    if found != ip_version:
        raise invalid_input(f"{name} '{text}' does not match the ip_version '{ip_version}'")


def refuse_dhcp_on(network: CidrNetwork) -> None:
    """Raises InvalidInput for a CIDR on which no DHCP server can work."""
    if network.prefixlen > (30 if network.version == 4 else 126):
        raise invalid_input("Subnet has a prefix length that is incompatible with DHCP service enabled")
    if network.is_multicast:
        raise invalid_input("Multicast IP subnet is not supported if enable_dhcp is True")
    if network.is_loopback:
        raise invalid_input("Loopback IP subnet is not supported if enable_dhcp is True")
    if network.version == 6 and network.is_link_local:
        raise invalid_input("Link-local IP subnet is not supported if enable_dhcp is True")
    if network.version == 6 and network.subnet_of(_IPV4_MAPPED):
        # No socket can be bound to one (RFC 4291, 2.5.5.2): dnsmasq would end, for the network's other subnets too.
        raise invalid_input("IPv4-mapped IPv6 subnet is not supported if enable_dhcp is True")
    if network.version == 4 and int(network.network_address) == 0:
        raise invalid_input("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")


def default_gateway(network: CidrNetwork, *, of_pool: bool = False) -> str | None:
    """Gives the gateway of a subnet that names none: its first address; None when there is no second one.

    In IPv6 that is the prefix itself, every router's anycast address (RFC 4291, 2.6.1), but for a block that a subnet
    pool chose the one after it; both as in Neutron.
    """
    if network.num_addresses == 1:
        return None
    return str(network.network_address if network.version == 6 and not of_pool else network.network_address + 1)


def checked_gateway(network: CidrNetwork, text: str | None) -> str | None:
    """Gives a chosen gateway's canonical text; None stays None.

    Raises InvalidInput for one of another family, outside of the subnet (but a link-local one in IPv6, RFC 4861), or
    on IPv4's network or broadcast address.
    """
    if text is None:
        return None
    try:
        gateway = ip_address(text)
    except ValueError:
        raise bad_value("gateway_ip", f"'{text}' is not a valid IP address") from None
    refuse_other_family(network.version, gateway.version, "gateway_ip", text)
    # Neutron takes a gateway outside of the subnet; guests then have no route to it, so it is refused here.
    if gateway not in network and not (gateway.version == 6 and gateway.is_link_local):
        raise invalid_input("Gateway is not valid on subnet", detail=f"{gateway} lies outside of {network}.")
    if gateway.version == 4 and gateway in (network.network_address, network.broadcast_address):
        raise invalid_input("Gateway is not valid on subnet", detail=f"{gateway} is no host's address in {network}.")
    return str(gateway)


def checked_nameservers(settings: CloudSettings, subnet: str, ip_version: int, given: Sequence[str]) -> tuple[str, ...]:
    """Gives DNS servers in their order; raises DNSNameServersExhausted, HTTPBadRequest, InvalidInput.

    subnet  its id, or words for one that has none yet
    """
    if len(given) > settings.max_dns_nameservers:
        raise fault("DNSNameServersExhausted", subnet_id=subnet, quota=settings.max_dns_nameservers)
    found = []
    for text in given:
        try:
            address = ip_address(text)
        except ValueError:
            raise invalid_input(f"Error parsing dns address {text}") from None
        refuse_other_family(ip_version, address.version, "dns_nameserver", text)
        found.append(str(address))
    return tuple(found)


def checked_routes(
    settings: CloudSettings, subnet: str, ip_version: int, given: Sequence[HostRoute]
) -> tuple[HostRoute, ...]:
    """Gives host routes in their order; raises HostRoutesExhausted, InvalidInput.

    subnet  its id, or words for one that has none yet
    """
    if len(given) > settings.max_subnet_host_routes:
        raise fault("HostRoutesExhausted", subnet_id=subnet, quota=settings.max_subnet_host_routes)
    found = []
    for route in given:
        try:
            destination, nexthop = ip_network(route.destination), ip_address(route.nexthop)
        except ValueError:
            raise invalid_input(f"Invalid route: {route.destination} via {route.nexthop}") from None
        refuse_other_family(ip_version, nexthop.version, "nexthop", route.nexthop)
        refuse_other_family(ip_version, destination.version, "destination", route.destination)
        found.append(HostRoute(str(destination), str(nexthop)))
    return tuple(found)


def refuse_ipv6_modes(subnet: Subnet, prefix: int) -> None:
    """Raises InvalidInput for IPv6 modes that the subnet cannot have.

    Both modes may be set only to the same value, only with DHCP, only in IPv6; addresses out of MACs need a /64.
    """
    ra_mode, address_mode = subnet.ipv6_ra_mode, subnet.ipv6_address_mode
    if subnet.ip_version == 4:
        for name, value in (("ipv6_ra_mode", ra_mode), ("ipv6_address_mode", address_mode)):
            if value:
                raise invalid_input(f"{name} is not valid when ip_version is 4")
    if not (ra_mode or address_mode):
        return
    if not subnet.enable_dhcp:
        raise invalid_input("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if ra_mode and address_mode and ra_mode != address_mode:
        raise invalid_input(
            f"ipv6_ra_mode set to '{ra_mode}' with ipv6_address_mode set to '{address_mode}' is not valid."
            " If both attributes are set, they must be the same value"
        )
    if prefix != 64 and not AUTO_MODES.isdisjoint({ra_mode, address_mode}):
        raise invalid_input(
            f"Invalid CIDR {subnet.cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which"
            " requires the prefix to be /64"
        )


def checked_service_types(given: Sequence[str]) -> tuple[str, ...]:
    """Gives service types as they are; raises InvalidSubnetServiceType for one that no device owner can be."""
    for service_type in given:
        if not service_type.startswith(_SERVICE_PREFIXES):
            raise fault("InvalidSubnetServiceType", service_type=service_type)
    return tuple(given)
