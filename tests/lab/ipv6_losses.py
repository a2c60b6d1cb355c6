"""The processes and walks of an IPv6 scene, for what the death of each costs each (``losses``)."""

from __future__ import annotations

from ipv6_walks import INTERNET, METADATA
from losses import Probe, Victim, needs, of_every_scene
from scene import META_DATA, Scene


def victims(scene: Scene) -> list[Victim]:
    """Gives every process that a walk could need, and the one that advertises, which none needs."""
    dnsmasq = {name: f"dhcp/{scene.networks[name]['id']}/" for name in ("blue", "green")}
    return [
        *of_every_scene(scene),
        *(Victim(f"dnsmasq-{name}", scene.places.network, words) for name, words in dnsmasq.items()),
        Victim("radvd", scene.places.network, f"ra/{scene.router}.radvd.conf"),
    ]


def probes(scene: Scene) -> list[Probe]:
    """Gives the walks, each with what it needs."""
    lab, p = scene.lab, scene.places
    one, three, four = (lab.to_guest(scene[name].id) for name in ("one", "three", "four"))
    bob, daisy, network = p.bob, p.daisy, p.network

    def icmp(name: str, to: list[str], target: str, *hosts: str) -> Probe:
        address = scene[target].address if target in scene.guests else target
        return Probe(name, to, {"kind": "icmp", "to": address}, needs(scene, *hosts))

    def asks(name: str, to: list[str], network_name: str, *hosts: str, address: str = "") -> Probe:
        plan = {"kind": "dhcp6", "device": "eth0", "address": address}
        return Probe(name, to, plan, needs(scene, *hosts, also=(f"dnsmasq-{network_name}",)))

    metadata = {"kind": "http", "to": f"{METADATA}%eth0", "path": META_DATA, "wait_s": 10}
    return [
        icmp("15.2 two hosts", one, "two", bob, daisy),
        icmp("15.7 router, one host", one, "four", bob, network),
        icmp("15.7 router, two hosts", one, "three", bob, daisy, network),
        icmp("15.8 to the internet", one, INTERNET, bob, network),
        icmp("15.8 from the internet", lab.to_host("client"), "three", daisy, network),
        asks("15.10 DHCPv6, address", three, "blue", daisy, network, address=scene["three"].address),
        asks("15.10 DHCPv6, all else", four, "green", bob, network),
        Probe("15.11 metadata", one, metadata, needs(scene, bob, network, also=("haproxy-router", "metadata-agent"))),
    ]
