"""The world outside of a lab's cloud: what its routers, its servers and its callers run.

Hosts as all others, but without a switch of their own: the machine's own programs on plain NICs.
"""

from __future__ import annotations

from netglass.lab.hosts import Service
from netglass.lab.topology import HostSpec, Topology

DOMAIN = "example"
"""What the world's names end in (RFC 2606), as in ``internet.example``."""

PAGE = "This is the internet, as far as this lab goes.\n"
"""What a host that serves HTTP shows."""

_LOG = "/var/log/netglass"
_WEB = "netglass/www"


def services(host: HostSpec) -> list[Service]:
    """Gives what a host of the outside world runs."""
    found = []
    words: tuple[str, ...]
    if host.forwards:
        words = ("sysctl", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        found.append(Service(name="forwarding", kind="once", argv=words, log=f"{_LOG}/forwarding.log"))
    if "http" in host.serves:
        words = ("busybox", "httpd", "-f", "-p", "80", "-h", f"/etc/{_WEB}")
        found.append(Service(name="http", kind="simple", argv=words, log=f"{_LOG}/http.log"))
    if "dns" in host.serves:
        words = (
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            f"--local=/{DOMAIN}/",  # for other kinds of records: there are none
            "--addn-hosts=/etc/netglass/names",
            "--log-facility=-",
        )
        found.append(Service(name="dns", kind="simple", argv=words, log=f"{_LOG}/dns.log"))
    return found


def files(topology: Topology, name: str) -> dict[str, tuple[str, int]]:
    """Gives what the host's /etc has for them, as (text, mode)."""
    host = topology.hosts[name]
    found = {}
    if "http" in host.serves:
        found[f"{_WEB}/index.html"] = (PAGE, 0o644)
    if "dns" in host.serves:
        found["netglass/names"] = ("".join(f"{line}\n" for line in _names(topology)), 0o644)
    return found


def _names(topology: Topology) -> list[str]:
    """Gives each address and a name for every NIC of the outside world."""
    lines = []
    for name, host in topology.hosts.items():
        for segment in host.nics.values() if host.is_outside else ():
            addresses = (topology.address(name, segment), topology.address6(name, segment))
            lines += [f"{address.ip} {name}.{DOMAIN}" for address in addresses if address is not None]
    return lines
