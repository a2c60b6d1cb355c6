"""Use case 2: launch two guests on different hosts, and follow the wire from each to the NIC."""

from __future__ import annotations

from netglass.base.ids import qbr_name, qvb_name, qvo_name, tap_name
from netglass.demo import cast, guests
from netglass.demo.basic_use_cases import deployment
from netglass.demo.basic_use_cases.create_network import rewriting, veth_pair
from netglass.demo.claims import Began, Broken, Said, Scene, equal, true
from netglass.demo.guests import PING, ping
from netglass.demo.reading import links, switch
from netglass.demo.stage import Stage


def play(stage: Stage) -> Scene[tuple[cast.Guest, ...]]:
    """Launches the guests, waits for their addresses, looks at their hosts, and lets them ping each other.

    Raises Broken when a guest has no address.
    """
    yield Began(title="Use case 2: launch guests")
    yield Said(text="Two guests, each on a compute host of its own.")
    launched = yield from guests.launch(stage, deployment.GUESTS)
    for guest in launched:
        yield from _wire(stage, guest)
    yield Said(text="End to end, both ways:")
    first, second = launched
    yield from ping(stage.inside(first.name, *PING, second.address), f"{first.name} reaches {second.name}")
    yield from ping(stage.inside(second.name, *PING, first.address), f"{second.name} reaches {first.name}")
    return launched


def _wire(stage: Stage, guest: cast.Guest) -> Scene[None]:
    tap, qbr, qvb, qvo = (name(guest.port) for name in (tap_name, qbr_name, qvb_name, qvo_name))
    yield Said(text=f"{guest.name} on {guest.host}: {tap} → {qbr} → {qvb} → {qvo} → br-int → {deployment.NIC_BRIDGE}.")
    bridged = stage.on(guest.host, "brctl", "show")
    yield bridged.marked(tap, qbr, qvb)
    found = links.bridge_ports(bridged.output).get(qbr, ())
    yield equal("its Linux bridge holds the guest's tap and one veth end", sorted((tap, qvb)), sorted(found))
    shown = stage.on(guest.host, "ovs-vsctl", "show")
    yield shown.marked(qvo)
    port = switch.bridges(shown.output).get("br-int", {}).get(qvo)
    tag = port.tag if port and port.tag is not None else 0
    held = 1 <= tag <= 4094
    yield true("the other end is on br-int, with the local VLAN tag", held, f"{qvo} with tag 1 to 4094", port)
    if not held:
        raise Broken
    if guest.name == deployment.GUESTS[0][0]:  # once is enough to see it
        yield from veth_pair(stage, guest.host)
    yield from rewriting(stage, guest.host, tag)
