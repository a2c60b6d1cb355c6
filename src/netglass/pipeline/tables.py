"""Every OpenFlow table and priority that we use, declared once beside its name.

Numbers are the ones that operators of Neutron's Open vSwitch agent know by heart (DATAPLANE.md); they are not given to
the switch as names (Bridge, ``flow_tables``), since ``ovs-ofctl`` would then print the name in the number's place.
"""

from __future__ import annotations

import msgspec


class Table(msgspec.Struct, frozen=True):
    """A table of one sort of bridge.

    bridge   ``integration`` (br-int), ``provider`` (br-<nic>) or ``tunnel`` (br-tun)
    number   0..254
    purpose  what a packet goes through it for, as a full sentence
    """

    name: str
    bridge: str
    number: int
    purpose: str


INTEGRATION_CLASSIFY = Table(
    "CLASSIFY",
    "integration",
    0,
    "Drops the dead VLAN, turns a provider network's segment into the host's own VLAN tag, and switches.",
)
ARP_SPOOF = Table(
    "ARP_SPOOF",
    "integration",
    24,
    "Drops a guest's ARP and neighbour advertisements for addresses that are not its own.",
)
MAC_SPOOF = Table("MAC_SPOOF", "integration", 25, "Drops a guest's frames from a MAC that is not its own.")
TRANSIENT = Table("TRANSIENT", "integration", 60, "Tells frames for guarded guests of this host from all others.")
BASE_EGRESS = Table(
    "BASE_EGRESS", "integration", 71, "Drops what a guest may never send, and looks the rest up among its connections."
)
RULES_EGRESS = Table("RULES_EGRESS", "integration", 72, "Lets connections pass that the guest may open by its rules.")
ACCEPT_OR_INGRESS = Table("ACCEPT_OR_INGRESS", "integration", 73, "Notes the connection, and lets the frame go on.")
BASE_INGRESS = Table(
    "BASE_INGRESS",
    "integration",
    81,
    "Lets pass what a guest always needs, and looks the rest up among its connections.",
)
RULES_INGRESS = Table(
    "RULES_INGRESS", "integration", 82, "Lets connections pass that may be opened to the guest by its rules."
)
ACCEPTED = Table(
    "ACCEPTED", "integration", 91, "Tells what a guest sends from what it receives, once that is accepted."
)
ACCEPTED_INGRESS = Table(
    "ACCEPTED_INGRESS", "integration", 92, "Notes the connection, and hands the frame to the guest."
)
DROPPED = Table("DROPPED", "integration", 93, "Drops, and counts all that the firewall drops.")
SWITCHED = Table("SWITCHED", "integration", 94, "Gives a guest's frame its tag, and switches.")
PROVIDER_CLASSIFY = Table(
    "CLASSIFY",
    "provider",
    0,
    "Turns the host's own VLAN tag into the network's segment on the way out, and switches.",
)

TUNNEL_CLASSIFY = Table(
    "CLASSIFY", "tunnel", 0, "Tells frames that leave the host from those that come in by a tunnel of one type."
)
PATCH_LV_TO_TUN = Table(
    "PATCH_LV_TO_TUN", "tunnel", 1, "Tells apart, of what leaves the host, unicast, flooded frames and ARP requests."
)
GRE_TUN_TO_LV = Table("GRE_TUN_TO_LV", "tunnel", 2, "Turns a GRE key into the host's own VLAN tag.")
VXLAN_TUN_TO_LV = Table("VXLAN_TUN_TO_LV", "tunnel", 3, "Turns a VXLAN VNI into the host's own VLAN tag.")
GENEVE_TUN_TO_LV = Table("GENEVE_TUN_TO_LV", "tunnel", 4, "Turns a Geneve VNI into the host's own VLAN tag.")
LEARN_FROM_TUN = Table(
    "LEARN_FROM_TUN", "tunnel", 10, "Learns behind which peer a sender is, and hands the frame to br-int."
)
UCAST_TO_TUN = Table("UCAST_TO_TUN", "tunnel", 20, "Sends a frame to the one peer that has its receiver.")
ARP_RESPONDER = Table("ARP_RESPONDER", "tunnel", 21, "Answers ARP requests for addresses that other hosts have.")
FLOOD_TO_TUN = Table("FLOOD_TO_TUN", "tunnel", 22, "Sends a frame to every peer that has its network.")

TABLES = (
    INTEGRATION_CLASSIFY,
    ARP_SPOOF,
    MAC_SPOOF,
    TRANSIENT,
    BASE_EGRESS,
    RULES_EGRESS,
    ACCEPT_OR_INGRESS,
    BASE_INGRESS,
    RULES_INGRESS,
    ACCEPTED,
    ACCEPTED_INGRESS,
    DROPPED,
    SWITCHED,
    PROVIDER_CLASSIFY,
    TUNNEL_CLASSIFY,
    PATCH_LV_TO_TUN,
    GRE_TUN_TO_LV,
    VXLAN_TUN_TO_LV,
    GENEVE_TUN_TO_LV,
    LEARN_FROM_TUN,
    UCAST_TO_TUN,
    ARP_RESPONDER,
    FLOOD_TO_TUN,
)

# Priorities on br-tun; those of every table there.
POPULATED = 2  # from intent, over what was learnt
KNOWN = 1  # of a port, network or address that is here; what the switch learns has it too
REST = 0  # everything else

# Priorities in the CLASSIFY tables of the other bridges; the middle ones are those of the blog post's dumps.
DEAD = 65535  # br-int: frames of ports that are not wired
GUARDED = 10  # br-int: what a guarded port sends
LOCAL_TO_SEGMENT = 4  # provider bridge: a network that is here, on its way out
SEGMENT_TO_LOCAL = 3  # br-int: a network that is here, on its way in
NOT_WIRED = 2  # br-int: what a port sends that must not pass frames
ACCESS = 2  # br-int: what a port of one network sends that is not guarded, where the switch filters
UNKNOWN = 2  # what comes over the link between the bridges, and is of no network that is here
SWITCH = 1  # everything else

# Priorities in br-int's tables of the firewall.
NEVER = 100  # what nobody may send, whatever the rules say
ALWAYS = 90  # what passes, whatever the rules say
OWN = 80  # addresses of a guest's own
TO_GUEST = 90  # TRANSIENT: for one guest here
TO_ALL = 80  # TRANSIENT: for all of a network
PERMITTED = 70  # by rule
LEFT = 10  # all else of a kind
