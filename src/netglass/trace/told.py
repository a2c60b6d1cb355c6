"""What the cloud tells its guests: the addresses and routes that the DHCP servers of the desired state give out.

Read off the files that dnsmasq is started with, so that a guest is thought to know just what it would be told.
Source: what ``compile.dnsmasq`` writes; RFC 3442 for which routes count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netglass.desired.state import Daemon, HostState
from netglass.model.resources import Port, Subnet, ref
from netglass.trace.fabric import GuestRoute

_OPTIONS = "--dhcp-optsfile="
_ON_LINK = "0.0.0.0"
_ANYWHERE = "0.0.0.0/0"


@dataclass
class Told:
    """All that DHCP servers would say.

    leases   (MAC, address) that some server gives
    options  (tag, option) -> values, of IPv4
    """

    leases: set[tuple[str, str]] = field(default_factory=set)
    options: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of(states: Iterable[HostState]) -> Told:
        """Reads the servers of all hosts; where several serve a network, the first one's options count."""
        found = Told()
        for state in states:
            texts = {file.path: file.text for file in state.files}
            for daemon in state.daemons:
                if daemon.name.startswith("dnsmasq-"):
                    found._serve(daemon, texts)
        return found

    def _serve(self, daemon: Daemon, texts: Mapping[str, str]) -> None:
        self.leases |= {(lease.mac, lease.address) for lease in daemon.leases}
        path = next((word.removeprefix(_OPTIONS) for word in daemon.argv if word.startswith(_OPTIONS)), "")
        for line in texts.get(path, "").splitlines():
            tag, _, rest = line.removeprefix("tag:").partition(",")
            name, *values = rest.split(",")
            self.options.setdefault((tag, name.removeprefix("option:")), tuple(values))

    def gives(self, port: Port, address: str) -> bool:
        """Says whether a guest gets an address."""
        return (port.mac_address, address) in self.leases

    def routes(self, port: Port, subnet: Subnet) -> Iterator[GuestRoute]:
        """Gives the routes that a guest has by its address on a subnet of IPv4."""
        intent = (ref(subnet),)
        yield GuestRoute(subnet.cidr, "", intent)
        classless = self._option(port, subnet, "classless-static-route")
        if classless:  # a client that takes these ignores the router
            for destination, hop in zip(classless[::2], classless[1::2], strict=False):
                yield GuestRoute(destination, "" if hop == _ON_LINK else hop, intent)
            return
        for hop in self._option(port, subnet, "router")[:1]:
            yield GuestRoute(_ANYWHERE, hop, intent)

    def _option(self, port: Port, subnet: Subnet, name: str) -> tuple[str, ...]:
        own = self.options.get((f"port-{port.id}", name))
        return own if own is not None else self.options.get((f"subnet-{subnet.id}", name), ())
