"""What the course takes for granted: its deployment, which is the lab ``gre``."""

from __future__ import annotations

LAB = "gre"
CONTROLLER, NETWORK_NODE, BOB, DAISY = "controller", "network", "bob", "daisy"
TUNNEL_ADDRESS = {BOB: "192.168.133.112", NETWORK_NODE: "192.168.133.113", DAISY: "192.168.133.114"}
MANAGEMENT_ADDRESS = {NETWORK_NODE: "192.168.122.113"}
MANAGEMENT_NIC, TUNNEL_NIC, OUTSIDE_NIC = "eth1", "eth2", "eth3"
GUESTS = (("vm1", BOB), ("vm2", DAISY))  # name, host asked for
ROUTER = "router1"
PUBLIC = "public"  # the external network; the lab made it
OVERHEAD = 42  # bytes of GRE with a key: IP 20, GRE 8, Ethernet 14

# The world outside
INTERNET, INTERNET_NAME, INTERNET_ADDRESS = "internet", "internet.example", "198.51.100.10"
CLIENT, CLIENT_ADDRESS = "client", "198.51.100.20"

PICTURE = """\
                        internet    client
                           └─ provider ─┘
                                 │
     controller             network (eth3)             bob                 daisy
  ┌─────────────┐     ┌──────────┴────────┐     ┌──────────────┐     ┌──────────────┐
  │             │     │ qrouter ── br-ex  │     │     vm1      │     │     vm2      │
  │     API     │     │ qdhcp   ── br-int │     │ qbr  (Linux) │     │ qbr  (Linux) │
  │   metadata  │     │            br-tun │     │ br-int       │     │ br-int       │
  │             │     │ metadata agent    │     │ br-tun       │     │ br-tun       │
  └──┬──────────┘     └──┬───────────┬────┘     └──┬────────┬──┘     └──┬────────┬──┘
     │eth1               │eth1       │eth2         │eth1    │eth2       │eth1    │eth2
     │                   │           └─────────────┼─ GRE ──┴───────────┼────────┘
     └───────────────────┴────── management ───────┴────────────────────┘
"""
