"""Fixed addresses of ports: which subnets a port takes part in, and which address it gets on each.

What is asked for by address is honoured anywhere inside the CIDR; what is left open is the lowest free address of
the pools.  Taken addresses are read off the ports themselves, so an address is free when its port is gone.

Source: Networking API v2.0, fixed_ips; Neutron's pluggable IPAM.  Stricter than Neutron in one point: an address
that is the subnet's gateway is for routers and admins only (CVE-2018-14635); Neutron gives it to any port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from netglass.base.numbers import holds_number, pick_lowest, with_number, without_number
from netglass.control.decision import Decision
from netglass.control.faults import bad_value, fault, invalid_input
from netglass.control.owners import ROUTERS
from netglass.control.spaces import eui64, is_auto, space_of, text_of
from netglass.control.visibility import visible
from netglass.model.resources import FixedIp, Subnet
from netglass.model.snapshot import Snapshot

WantedIp = Mapping[str, str]
"""A wish for one address: ``subnet_id``, ``ip_address`` or both."""


@dataclass(frozen=True)
class Claimant:
    """The port that addresses are for, as far as they depend on it."""

    network_id: str
    mac_address: str
    device_owner: str

    @property
    def is_router(self) -> bool:
        """Says whether a router owns the port: it gets no address that it did not ask for."""
        return self.device_owner in ROUTERS


class Picks:
    """Addresses picked so far for one port: taken are those of the snapshot and these, less those it released."""

    def __init__(self, snapshot: Snapshot, released: Iterable[FixedIp] = ()) -> None:
        self._snapshot = snapshot
        self._numbers: dict[str, tuple[int, ...]] = {}
        for fixed in released:
            taken = self.used(fixed.subnet_id)
            self._numbers[fixed.subnet_id] = without_number(taken, int(ip_address(fixed.ip_address)))

    def used(self, subnet_id: str) -> tuple[int, ...]:
        """Gives the numbers taken in a subnet, ascending."""
        found = self._numbers.get(subnet_id)
        return self._snapshot.used("addresses", subnet_id) if found is None else found

    def take(self, subnet: Subnet, number: int) -> FixedIp:
        """Takes an address that is free."""
        self._numbers[subnet.id] = with_number(self.used(subnet.id), number)
        return FixedIp(subnet.id, text_of(subnet.ip_version, number))

    def retake(self, fixed: FixedIp) -> None:
        """Takes back an address that was released."""
        number = int(ip_address(fixed.ip_address))
        self._numbers[fixed.subnet_id] = with_number(self.used(fixed.subnet_id), number)


def candidate_subnets(snapshot: Snapshot, network_id: str, device_owner: str) -> list[Subnet]:
    """Gives the network's subnets that a port of this owner may use, in the order in which they are tried.

    Subnets with ``service_types`` serve those owners only, and come first; then the oldest.

    Raises IpAddressGenerationFailureNoMatchingSubnet when there are subnets, and none serves the owner.
    """
    subnets: list[Subnet] = snapshot.rows("subnets_by_network", network_id)
    found = [s for s in subnets if not s.service_types or device_owner in s.service_types]
    if subnets and not found:
        raise fault(
            "IpAddressGenerationFailureNoMatchingSubnet", network_id=network_id, service_type=device_owner or "none"
        )
    if len(found) > 1:
        found.sort(key=lambda s: (not s.service_types, s.created_at, s.id))
    return found


def pick_addresses(d: Decision, claimant: Claimant, wanted: Sequence[WantedIp] | None) -> tuple[FixedIp, ...]:
    """Picks a new port's addresses.

    wanted  None: one IPv4 and one IPv6 address, as far as the network has subnets; else one for each wish, in that
            order.  In both cases an address on every auto-address subnet is added (SLAAC cannot be declined),
            except for router ports.

    Raises InvalidInput, SubnetNotFound, InvalidIpForNetwork, InvalidIpForSubnet, AllocationOnAutoAddressSubnet,
    IpAddressAlreadyAllocated, IpAddressGenerationFailure (subnets full).
    """
    subnets = candidate_subnets(d.snapshot, claimant.network_id, claimant.device_owner)
    picks = Picks(d.snapshot)
    if wanted is None:
        found = _one_of_each_family(picks, claimant, subnets)
    else:
        found = list(_pick_wanted(d, picks, claimant, dict(enumerate(wanted)), subnets).values())
    return (*found, *_auto_addresses(picks, claimant, subnets, found))


def repick_addresses(
    d: Decision, claimant: Claimant, held: Sequence[FixedIp], wanted: Sequence[WantedIp] | None
) -> tuple[FixedIp, ...]:
    """Picks a port's addresses anew when its wishes, its MAC or its owner change; keeps all that still fits.

    held    what the port has now
    wanted  None: no new wish.  A wish for a held address keeps it, and so does one for a subnet in which one is held

    Addresses made of the MAC follow the claimant's MAC.  Raises as `pick_addresses`.
    """
    subnets = candidate_subnets(d.snapshot, claimant.network_id, claimant.device_owner)
    made_of_mac = set() if claimant.is_router else {s.id for s in subnets if is_auto(s)}
    kept = [f for f in held if f.subnet_id not in made_of_mac]
    picks = Picks(d.snapshot, released=held)
    if wanted is None:
        for fixed in kept:
            picks.retake(fixed)
        found = kept
    else:
        answers = held_answers(kept, wanted)
        for fixed in answers.values():
            picks.retake(fixed)
        missing = [at for at in range(len(wanted)) if at not in answers]
        answers |= _pick_wanted(d, picks, claimant, {at: wanted[at] for at in missing}, subnets)
        found = [answers[at] for at in sorted(answers)]
    return (*found, *_auto_addresses(picks, claimant, subnets, found))


def held_answers(held: Iterable[FixedIp], wanted: Sequence[WantedIp]) -> dict[int, FixedIp]:
    """Answers wishes, by their place, with held addresses where one fits: wishes by address first.

    Raises HTTPBadRequest for an address that is none.
    """
    spare = list(held)
    answers: dict[int, FixedIp] = {}
    for at in sorted(range(len(wanted)), key=lambda at: "ip_address" not in wanted[at]):
        fitting = next((f for f in spare if _fits(f, wanted[at])), None)
        if fitting is not None:
            spare.remove(fitting)
            answers[at] = fitting
    return answers


def _fits(held: FixedIp, wish: WantedIp) -> bool:
    if "ip_address" in wish and _canonical(wish["ip_address"]) != held.ip_address:
        return False
    # A wish that names nothing is answered by nothing: `_resolve` refuses it.
    return wish.get("subnet_id", held.subnet_id) == held.subnet_id and bool(wish)


def _one_of_each_family(picks: Picks, claimant: Claimant, subnets: list[Subnet]) -> list[FixedIp]:
    found = []
    for version in (4, 6):
        family = [s for s in subnets if s.ip_version == version and not is_auto(s)]
        if family:
            found.append(_lowest(picks, claimant, family))
    return found


def _lowest(picks: Picks, claimant: Claimant, subnets: list[Subnet]) -> FixedIp:
    found = lowest_free(picks, subnets)
    if found is None:
        names = ", ".join(f"{s.name or s.id} ({s.cidr})" for s in subnets)
        raise fault(
            "IpAddressGenerationFailure",
            net_id=claimant.network_id,
            detail=f"Every address in the pools of {names} is taken.",
        )
    return found


def lowest_free(picks: Picks, subnets: Iterable[Subnet]) -> FixedIp | None:
    """Takes the lowest free address in the pools of the first subnet that has one; None when all are full."""
    for subnet in subnets:
        number = pick_lowest(space_of(subnet).pools, picks.used(subnet.id))
        if number is not None:
            return picks.take(subnet, number)
    return None


def _pick_wanted(
    d: Decision, picks: Picks, claimant: Claimant, wanted: Mapping[int, WantedIp], subnets: list[Subnet]
) -> dict[int, FixedIp]:
    """Picks an address for each wish, by the wish's place; none for a wish that names an auto-address subnet only."""
    if wanted and not subnets:
        raise invalid_input("IP allocation requires subnets for network")
    answers: dict[int, FixedIp] = {}
    # Wishes by address go first, so that no other wish of the same request takes the address before.
    by_subnet: dict[int, Subnet] = {}
    for at, wish in wanted.items():
        subnet, number = _resolve(d, claimant, wish, subnets)
        if number is not None:
            _require_free(picks, subnet, number)
            answers[at] = picks.take(subnet, number)
        elif claimant.is_router or not is_auto(subnet):
            by_subnet[at] = subnet
    for at, subnet in by_subnet.items():
        answers[at] = _lowest(picks, claimant, [subnet])
    return {at: answers[at] for at in sorted(answers)}


def _resolve(d: Decision, claimant: Claimant, wish: WantedIp, subnets: list[Subnet]) -> tuple[Subnet, int | None]:
    """Gives the subnet that a wish means, and the address when it names one that the port may have."""
    subnet = _named_subnet(d, claimant, wish["subnet_id"], subnets) if "subnet_id" in wish else None
    if "ip_address" not in wish:
        if subnet is None:
            raise invalid_input("IP allocation requires subnet_id or ip_address")
        return subnet, None
    text = _canonical(wish["ip_address"])
    parsed = ip_address(text)
    version, number = parsed.version, int(parsed)
    if subnet is None:
        subnet = next((s for s in subnets if _assignable(s, version, number, claimant)), None)
        if subnet is None:
            raise fault("InvalidIpForNetwork", ip_address=text)
    elif not _assignable(subnet, version, number, claimant):
        raise fault("InvalidIpForSubnet", ip_address=text, detail=f"Subnet {subnet.id} is {subnet.cidr}.")
    if text == subnet.gateway_ip and not (claimant.is_router or d.caller.is_admin):
        raise fault(
            "InvalidIpForSubnet",
            ip_address=text,
            detail=f"It is the gateway of subnet {subnet.id}: only a router's port may have it.",
        )
    if is_auto(subnet) and not claimant.is_router and number != eui64(subnet, claimant.mac_address):
        raise fault("AllocationOnAutoAddressSubnet", ip=text, subnet_id=subnet.id)
    return subnet, number


def _canonical(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise bad_value("fixed_ips", f"'{text}' is not a valid IP address") from None


def _assignable(subnet: Subnet, version: int, number: int, claimant: Claimant) -> bool:
    """Says whether the address is one of the subnet's that a host may have; routers may have IPv6's anycast one."""
    space = space_of(subnet)
    if not space.holds(version, number):
        return False
    return space.lowest <= number <= space.highest or (version == 6 and claimant.is_router)


def _named_subnet(d: Decision, claimant: Claimant, subnet_id: str, subnets: list[Subnet]) -> Subnet:
    for subnet in subnets:
        if subnet.id == subnet_id:
            return subnet
    row = d.snapshot.get(Subnet, subnet_id)
    if row is None or not visible(d.caller, row, d.snapshot):
        raise fault("SubnetNotFound", subnet_id=subnet_id)
    raise invalid_input(
        f"Failed to create port on network {claimant.network_id}, because fixed_ips included invalid subnet {subnet_id}"
    )


def _require_free(picks: Picks, subnet: Subnet, number: int) -> None:
    if holds_number(picks.used(subnet.id), number):
        raise fault("IpAddressAlreadyAllocated", ip=text_of(subnet.ip_version, number), subnet_id=subnet.id)


def _auto_addresses(picks: Picks, claimant: Claimant, subnets: list[Subnet], found: Sequence[FixedIp]) -> list[FixedIp]:
    """Gives the addresses made of the MAC, on every auto-address subnet that has none in `found` yet."""
    added: list[FixedIp] = []
    if claimant.is_router:
        return added
    have = {f.subnet_id for f in found}
    for subnet in subnets:
        if subnet.ip_version == 6 and subnet.id not in have and is_auto(subnet):
            number = eui64(subnet, claimant.mac_address)
            _require_free(picks, subnet, number)
            added.append(picks.take(subnet, number))
    return added
