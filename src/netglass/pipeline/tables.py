"""Every OpenFlow table and priority that we use, declared once beside its name.

Numbers are the ones that operators of Neutron's Open vSwitch agent know by heart (DATAPLANE.md); they are not given to
the switch as names (Bridge, ``flow_tables``), since ``ovs-ofctl`` would then print the name in the number's place.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of one sort of bridge.

    bridge   ``integration`` (br-int) or ``provider`` (br-<nic>)
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
PROVIDER_CLASSIFY = Table(
    "CLASSIFY",
    "provider",
    0,
    "Turns the host's own VLAN tag into the network's segment on the way out, and switches.",
)

TABLES = (INTEGRATION_CLASSIFY, PROVIDER_CLASSIFY)

# Priorities in both CLASSIFY tables; the middle ones are those of the blog post's dumps.
DEAD = 65535  # br-int: frames of ports that are not wired
LOCAL_TO_SEGMENT = 4  # provider bridge: a network that is here, on its way out
SEGMENT_TO_LOCAL = 3  # br-int: a network that is here, on its way in
NOT_WIRED = 2  # br-int: what a port sends that must not pass frames
UNKNOWN = 2  # what comes over the link between the bridges, and is of no network that is here
SWITCH = 1  # everything else
