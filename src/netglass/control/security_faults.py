"""The words of Neutron's faults about security groups, address pairs, address groups and sharing.

Source: neutron's ``extensions/securitygroup.py`` and ``rbac.py``, neutron-lib's exceptions; master of summer 2026.
"""

from __future__ import annotations

from typing import Final

from netglass.base.errors import Conflict, Invalid, NotFound, UserError

SECURITY_WORDS: Final[dict[str, tuple[type[UserError], str]]] = {
    # 404
    "SecurityGroupNotFound": (NotFound, "Security group {id} does not exist"),
    "SecurityGroupRuleNotFound": (NotFound, "Security group rule {id} does not exist"),
    "DefaultSecurityGroupRuleNotFound": (NotFound, "Default Security Group rule {id} does not exist"),
    "AddressGroupNotFound": (NotFound, "Address group {address_group_id} could not be found."),
    "AddressesNotFound": (NotFound, "Addresses {addresses} not found in the address group {address_group_id}."),
    "RbacPolicyNotFound": (NotFound, "RBAC policy of type {object_type} with ID {id} not found"),
    # 400
    "SecurityGroupInvalidPortRange": (Invalid, "For TCP/UDP protocols, port_range_min must be <= port_range_max"),
    "SecurityGroupInvalidProtocolForPort": (
        Invalid,
        "Ports cannot be specified for protocol {protocol}. Ports are only supported for {valid_port_protocols}.",
    ),
    "SecurityGroupInvalidPortValue": (Invalid, "Invalid value for port {port}"),
    "SecurityGroupInvalidIcmpValue": (
        Invalid,
        "Invalid value for ICMP {field} ({attr}) {value}. It must be 0 to 255.",
    ),
    "SecurityGroupEthertypeConflictWithProtocol": (Invalid, "Invalid ethertype {ethertype} for protocol {protocol}."),
    "SecurityGroupMissingIcmpType": (
        Invalid,
        "ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing.",
    ),
    "SecurityGroupRuleInvalidProtocol": (
        Invalid,
        "Security group rule protocol {protocol} not supported. Only protocol values {values} and integer"
        " representations [0 to 255] are supported.",
    ),
    "SecurityGroupRuleInvalidEtherType": (
        Invalid,
        "Security group rule for ethertype '{ethertype}' not supported. Allowed values are {values}.",
    ),
    "SecurityGroupRuleParameterConflict": (Invalid, "Conflicting value ethertype {ethertype} for CIDR {cidr}"),
    "SecurityGroupMultipleRemoteEntites": (  # Neutron's spelling
        Invalid,
        "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
    ),
    "SecurityGroupProtocolRequiredWithPorts": (Invalid, "Must also specify protocol if port range is given."),
    "SecurityGroupNotSingleGroupRules": (Invalid, "Only allowed to update rules for one security profile at a time"),
    "SecurityGroupRulesNotSingleProject": (
        Invalid,
        "Multiple project_ids in bulk security group rule create not allowed",
    ),
    "InvalidCIDR": (Invalid, "Invalid CIDR {input} given as IP prefix."),
    "PortSecurityAndIPRequiredForSecurityGroups": (
        Invalid,
        "Port security must be enabled and port must have an IP address in order to use security groups.",
    ),
    "AllowedAddressPairExhausted": (Invalid, "The number of allowed address pair exceeds the maximum {quota}."),
    "AllowedAddressPairsMissingIP": (Invalid, "AllowedAddressPair must contain ip_address"),
    "DuplicateAddressPairInRequest": (
        Invalid,
        "Request contains duplicate address pair: mac_address {mac_address} ip_address {ip_address}.",
    ),
    "AddressesAlreadyExist": (Invalid, "Addresses {addresses} already exist in the address group {address_group_id}."),
    "InvalidActionForType": (
        Invalid,
        "Invalid action '{action}' for object type '{object_type}'. Valid actions: {valid_actions}",
    ),
    # 409
    "SecurityGroupInUse": (Conflict, "Security Group {id} in use."),
    "SecurityGroupCannotRemoveDefault": (Conflict, "Insufficient rights for removing default security group."),
    "SecurityGroupCannotUpdateDefault": (Conflict, "Updating default security group not allowed."),
    "SecurityGroupDefaultAlreadyExists": (Conflict, "Default security group already exists."),
    "SecurityGroupConflict": (Conflict, "Error {reason} while attempting the operation."),
    "SecurityGroupRuleExists": (Conflict, "Security group rule already exists. Rule id is {rule_id}."),
    "DuplicateSecurityGroupRuleInPost": (Conflict, "Duplicate Security Group Rule in POST."),
    "DefaultSecurityGroupRuleExists": (
        Conflict,
        "Default Security group rule already exists. Rule id is {rule_id}.",
    ),
    "PortSecurityPortHasSecurityGroup": (
        Conflict,
        "Port has security group associated. Cannot disable port security or IP address until security group is"
        " removed.",
    ),
    "AddressPairAndPortSecurityRequired": (
        Conflict,
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    ),
    "AddressGroupInUse": (
        Conflict,
        "Address group {address_group_id} is in use on one or more security group rules.",
    ),
    "DuplicateRbacPolicy": (Conflict, "An RBAC policy already exists with those values."),
    "RbacPolicyInUse": (
        Conflict,
        "RBAC policy on object {object_id} cannot be removed because other objects depend on it.\nDetails: {details}",
    ),
}
