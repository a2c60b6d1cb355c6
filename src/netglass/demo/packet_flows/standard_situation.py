"""Standard situation: a network, a router to the outside, and what both are on the network node."""

from __future__ import annotations

import msgspec

from netglass.base.ids import qrouter_name
from netglass.demo import cast, dhcp_server
from netglass.demo.claims import Began, Broken, Said, Scene, Shown, Took, equal, true, within
from netglass.demo.objects import Wanted, chosen, made
from netglass.demo.packet_flows import deployment
from netglass.demo.packet_flows.deployment import BOB, DAISY, NETWORK_NODE
from netglass.demo.reading import client, links, routing, switch
from netglass.demo.stage import Stage

_NETWORK_COLUMNS = ("id", "mtu", "name", "status")
_ROUTER_COLUMNS = ("id", "name", "status")
_SUBNET_COLUMNS = ("cidr", "dns_nameservers", "gateway_ip", "id", "name")
_PROVIDER = ("provider:network_type", "provider:segmentation_id")
_OUTSIDE = ("provider:network_type", "provider:physical_network", "router:external")


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """What the project user has made, as later sections need it.

    router   its namespace on the network node
    inner    the router's device on the network, ``qr-…``
    outer    its device on the external network, ``qg-…``
    address  on `outer`, without prefix length
    """

    network: cast.Network
    router_id: str
    router: str
    inner: str
    outer: str
    address: str

    def in_router(self, *words: str) -> tuple[str, ...]:
        """Gives the words that run a command in the router's namespace."""
        return ("ip", "netns", "exec", self.router, *words)


def play(stage: Stage) -> Scene[Cloud]:
    """Creates network, subnet and router as the project user, and finds them on the network node.

    Raises Broken when there is no network, router or namespace to go on with.
    """
    yield Began(title="Standard situation")
    text = f"As a project user: a network, and a router with its gateway on the external network {deployment.PUBLIC}."
    yield Said(text=text)
    network_id, router_id = yield from _network_and_router(stage)
    subnet_id, segment = yield from _subnet(stage, network_id)
    network = yield from dhcp_server.namespace(stage, network_id, segment, NETWORK_NODE)
    yield from _interface(stage, subnet_id)
    cloud = yield from _router_namespace(stage, network, router_id)
    yield from _switches(stage, cloud)
    return cloud


def _network_and_router(stage: Stage) -> Scene[tuple[str, str]]:
    gateway = ("--external-gateway", deployment.PUBLIC)
    network, router = made(
        stage,
        Wanted(kind="network", name=cast.NETWORK, columns=_NETWORK_COLUMNS),
        Wanted(kind="router", name=deployment.ROUTER, columns=_ROUTER_COLUMNS, asked=gateway),
    )
    said = client.fields(network.output)
    yield network.marked(said.get("id", ""), said.get("mtu", ""))
    yield equal("the network is ACTIVE", "ACTIVE", said.get("status"))
    mtu = 1500 - deployment.OVERHEAD
    yield equal(f"its packets leave {deployment.OVERHEAD} bytes of 1500 to GRE", str(mtu), said.get("mtu"))
    told = client.fields(router.output)
    yield router.marked(told.get("id", ""))
    yield equal("the router is ACTIVE", "ACTIVE", told.get("status"))
    if "id" not in said or "id" not in told:
        raise Broken
    return said["id"], told["id"]


def _subnet(stage: Stage, network_id: str) -> Scene[tuple[str, int]]:
    asked = ("--network", cast.NETWORK, "--subnet-range", cast.CIDR, "--dns-nameserver", deployment.INTERNET_ADDRESS)
    subnet, inside, outside = made(
        stage,
        Wanted(kind="subnet", name=cast.SUBNET, columns=_SUBNET_COLUMNS, asked=asked),
        beside=(
            ("admin", "network", "show", network_id, *chosen("name", *_PROVIDER)),
            ("admin", "network", "show", deployment.PUBLIC, *chosen("name", *_OUTSIDE)),
        ),
    )
    segment = yield from _admin_sees(inside, outside)
    yield Said(text="A subnet, with a name server out on the internet.")
    said = client.fields(subnet.output)
    yield subnet.marked(cast.CIDR, cast.GATEWAY)
    yield equal("its gateway is its first address", cast.GATEWAY, said.get("gateway_ip"))
    if "id" not in said:
        raise Broken
    return said["id"], segment


def _interface(stage: Stage, subnet_id: str) -> Scene[None]:
    yield Said(text="The router gets an interface in the subnet; its namespace is called after the router.")
    if not stage.fresh:
        words = ("port", "list", "--router", deployment.ROUTER, "--fixed-ip", f"subnet={subnet_id}")
        there = stage.client("demo", *words, "-c", "ID", "-c", "Status")
        if client.rows(there.output):
            yield there
            return
    yield stage.client("demo", "router", "add", "subnet", deployment.ROUTER, cast.SUBNET)


def _admin_sees(inside: Shown, outside: Shown) -> Scene[int]:
    yield Said(text="An admin sees what both networks are made of.")
    kind, segment = (client.fields(inside.output).get(name, "") for name in _PROVIDER)
    yield inside.marked(kind, segment)
    yield equal("the project's is made of GRE tunnels", "gre", kind)
    yield true("its packets carry a key of their own", segment.isdigit(), "a number", segment)
    wanted = ("flat", "external", "External")
    yield outside.marked(*wanted)
    told = tuple(client.fields(outside.output).get(name) for name in _OUTSIDE)
    yield equal("the external one is a wire without tags", wanted, told)
    if not segment.isdigit():
        raise Broken
    return int(segment)


def _router_namespace(stage: Stage, network: cast.Network, router_id: str) -> Scene[Cloud]:
    router = qrouter_name(router_id)
    looked = stage.until(
        lambda: stage.on(NETWORK_NODE, "ip", "netns", "exec", router, "ip", "-4", "addr"),
        lambda shown: bool(_addressed(shown, "qr-") and _addressed(shown, "qg-")),
    )
    listed = stage.on(NETWORK_NODE, "ip", "netns", "list")
    yield listed.marked(router)
    yield within("a namespace of the router's name", [router], links.namespaces(listed.output))
    inner, outer = _addressed(looked, "qr-"), _addressed(looked, "qg-")
    if inner is None or outer is None:
        yield looked
        yield true("with a device on each network", False, "qr-… and qg-… with addresses", looked.output)
        raise Broken
    yield looked.marked(inner.name, outer.name)
    yield within("qr-… has the guests' gateway", [f"{cast.GATEWAY}/24"], inner.addresses)
    address = outer.addresses[0].partition("/")[0]
    held = outer.addresses[0].startswith("203.0.113.")
    yield true("qg-… has an address on the external network", held, "one of 203.0.113.0/24", outer.addresses[0])
    routes = stage.on(NETWORK_NODE, "ip", "netns", "exec", router, "ip", "route")
    yield routes.marked("default via 203.0.113.1")
    yield equal("all else goes to the provider's router", "203.0.113.1", routing.next_hop(routes.output))
    if stage.fresh:
        yield Took(what="router add subnet returned, until its namespace has all addresses", seconds=looked.seconds)
    return Cloud(
        network=network, router_id=router_id, router=router, inner=inner.name, outer=outer.name, address=address
    )


def _addressed(shown: Shown, prefix: str) -> links.Device | None:
    found = links.devices(shown.output).values()
    return next((device for device in found if device.name.startswith(prefix) and device.addresses), None)


def _switches(stage: Stage, cloud: Cloud) -> Scene[None]:
    yield Said(text="The network node's switches: br-ex on eth3, br-int for the namespaces, br-tun for the tunnels.")
    shown = stage.on(NETWORK_NODE, "ovs-vsctl", "show")
    there = switch.bridges(shown.output)
    devices = (cloud.network.device, cloud.inner, cloud.outer)
    printed = ("Bridge br-ex", "Bridge br-int", "Bridge br-tun", *(f"Port {d}" for d in devices))
    yield shown.cut(*printed, "Port eth3", "Port patch-", "tag:", "peer=").marked(*devices, "eth3", "patch-")
    wanted = [deployment.OUTSIDE_NIC, cloud.outer]
    yield within("br-ex holds eth3 and the router's outer device", wanted, there.get("br-ex", {}))
    inside = there.get("br-int", {})
    tags = [inside[device].tag if device in inside else None for device in devices[:2]]
    held = tags[0] == tags[1] and tags[0] is not None
    yield true("br-int holds its inner device and the DHCP server's, with one tag", held, "one tag for both", tags)
    for host in (BOB, DAISY):
        shown = stage.on(host, "ovs-vsctl", "list-br")
        yield shown.marked("br-int", "br-tun")
        yield within(f"{host} has the same two: br-int and br-tun", ["br-int", "br-tun"], shown.output.split())
