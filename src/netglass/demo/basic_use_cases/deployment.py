"""What the document takes for granted: its deployment, which is the lab ``vlan``."""

from __future__ import annotations

LAB = "vlan"
SEGMENT = 1000  # first of the pool in the lab
PHYSICAL = "default"
GUESTS = (("vm1", "compute1"), ("vm2", "compute2"))  # name, host asked for
SERVER_HOST = "control"  # carries the network role
NIC = "eth2"
NIC_BRIDGE = "br-eth2"

PICTURE = """\
        control                  compute1                 compute2
  ┌──────────────────┐     ┌──────────────────┐     ┌──────────────────┐
  │   API   qdhcp-…  │     │       vm1        │     │       vm2        │
  │       (dnsmasq)  │     │    qbr… (Linux)  │     │    qbr… (Linux)  │
  │      br-int      │     │      br-int      │     │      br-int      │
  │      br-eth2     │     │      br-eth2     │     │      br-eth2     │
  └─┬──────────┬─────┘     └─┬──────────┬─────┘     └─┬──────────┬─────┘
    │eth1      │eth2         │eth1      │eth2         │eth1      │eth2
    │          └─────────────┼── VLANs ─┴─────────────┼──────────┘
    └────────────────────────┴──── management ────────┘
"""
