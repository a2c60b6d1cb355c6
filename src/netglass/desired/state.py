"""What one host must look like, as frozen values.

``compile`` makes a HostState from intent; each applier of ``agent`` observes the machine into the same values;
``desired.diff`` compares them.  An applier knows nothing but its own kinds.

Every object says who made it and why, and both are left out of comparisons, since a machine need not change when
only the reason does:

owner   the part of the compiler that wanted it, one of `OWNERS`
intent  references of the rows it comes from, as ``port:<id>``; never empty, ascending

How each kind is known as ours on a machine (decided before a kind may exist; Felix's rule):

| kind         | mark                                                                                     |
|--------------|------------------------------------------------------------------------------------------|
| namespaces   | name's prefix and a marker file of that name in the agent's run directory                |
| bridges      | ``external_ids: netglass-owner, netglass-ref``; a foreign bridge of a wanted name is     |
|              | used as it is and never deleted                                                          |
| switch_ports | ``external_ids: netglass-owner, netglass-ref``; awaited ones are somebody else's         |
| port_tags    | part of a switch port that we want                                                       |
| flows        | cookie: our mark in the top 16 bits                                                      |
| links        | interface alias ``netglass <owner> <ref>`` (ip-link(8), alias)                           |
| rule_sets    | chains whose name begins with ``neutron-``, in namespaces that are ours, and the jumps to them;   |
|              | in the host's own namespace ``neutron-openvswi-``                                                 |
| address_sets | ipsets of the host's own namespace whose name begins with ``NIPv4`` or ``NIPv6``                   |
| connections  | what the kernel tracks in the zone of a local VLAN                                                 |
| announcements | remembered with the address's time of birth, in a file of ours in the run directory         |
| addresses, routes | on links and in namespaces that are ours                                            |
| sysctls      | of links and namespaces that are ours                                                    |
| files        | below a directory that only we write                                                     |
| daemons      | state directory with pid, start time and argv; never by name                             |
| guests       | as daemons                                                                               |
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from netglass.desired.permits import End

OWNERS = ("switching", "plugging", "dhcp", "guests", "tunnels", "routing", "metadata", "advertising", "firewall")
"""Every part of the compiler that may own an object; the place in the tuple is the feature number in cookies."""

DEAD_VLAN = 4095
"""Local VLAN tag of a port that is not wired yet, or must not be (its row or its network's is down).

The tag alone does not isolate: two access ports on it reach each other, since the switch tags their frames only after
the flows have looked at them (seen on Open vSwitch 3.1: ping passes).  So a port on the dead VLAN is put into
``vlan_mode=trunk, trunks=4095`` beside its tag, as Neutron's agent does: untagged frames are then dropped on entry,
and tagged ones by the first flow of br-int.  Both columns are cleared when it gets a live tag.
"""

CONNECTION_ACCEPTED = 0x2
"""Bit of a tracked connection's mark: whom it was opened to has accepted it by its rules."""

CONNECTION_OPENED = 0x4
"""Bit of a tracked connection's mark: who opened it was allowed to by its rules."""


class Thing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One object on a host.

    The garbage collector need not look at thousands of these (`gc=False`): they hold text and tuples, never a cycle.
    """

    kind: ClassVar[str]

    owner: str
    intent: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names the object among those of its kind on the host."""
        raise NotImplementedError

    @property
    def late(self) -> bool:
        """Says whether it belongs to the second turn of its kind, where that has two (``desired.order``)."""
        return False


class Namespace(Thing, frozen=True, kw_only=True):
    """A named network namespace (ip-netns(8))."""

    kind: ClassVar[str] = "namespaces"

    name: str

    @property
    def key(self) -> str:
        return self.name


class Guest(Thing, frozen=True, kw_only=True):
    """A light guest's hull: its namespaces and NICs, made but not booted, as a VM is before its first instruction.

    Another `boot` is another guest: the old one is killed and a new one made.
    """

    kind: ClassVar[str] = "guests"

    server_id: str
    name: str
    hostname: str
    nics: tuple[Nic, ...]  # eth0, eth1, … in this order
    boot: int
    directory: str  # absolute; console.log and the guest's own state live here

    @property
    def key(self) -> str:
        return self.server_id


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's NIC: a veth pair whose host end is the tap."""

    tap: str
    mac: str
    mtu: int  # bytes


class GuestBoot(Thing, frozen=True, kw_only=True):
    """That a guest's hull runs its init: there only once all its ports are ACTIVE."""

    kind: ClassVar[str] = "guest_boots"

    server_id: str
    boot: int

    @property
    def key(self) -> str:
        return self.server_id


class Link(Thing, frozen=True, kw_only=True):
    """A network device.

    form  ``veth``      made with its peer (each end is a Link of its own)
          ``bridge``    a Linux bridge, STP off, forward delay 0, multicast snooping off
          ``internal``  an Open vSwitch internal port (or a bridge's own), made by the switch, moved to `netns` by us
          ``tap``       a guest's device, made by the guest (awaited)
          ``nic``       a device of the machine (awaited); never deleted
    """

    kind: ClassVar[str] = "links"

    netns: str = ""  # empty: the host's own
    name: str
    form: str
    peer: str = ""  # veth only; in the same namespace
    mac: str = ""  # empty: as it is
    mtu: int = 0  # bytes; 0: as it is
    master: str = ""  # Linux bridge it is a port of
    tx_checksum: bool = True  # False: TX checksum offload off (a netdev switch needs it on plain veth ends)
    up: bool = True  # administratively

    @property
    def key(self) -> str:
        return f"{self.netns}/{self.name}"

    @property
    def awaited(self) -> bool:
        """Says whether somebody else makes the device, so that its absence is waited out and not mended."""
        return self.form in ("tap", "nic")

    @property
    def late(self) -> bool:
        """Says whether the switch makes the device."""
        return self.form == "internal"


class Bridge(Thing, frozen=True, kw_only=True):
    """An Open vSwitch bridge (ovs-vswitchd.conf.db(5), Bridge)."""

    kind: ClassVar[str] = "bridges"

    name: str
    datapath_type: str  # system or netdev
    fail_mode: str = "secure"
    protocols: tuple[str, ...] = ("OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15")
    controllers: tuple[str, ...] = ()  # targets, ascending; none, as a controller would take the flows over

    @property
    def key(self) -> str:
        return self.name


class SwitchPort(Thing, frozen=True, kw_only=True):
    """A port with one interface on an Open vSwitch bridge; new ports start on the dead VLAN.

    awaited   somebody else plugs it (an outside compute service): never made or deleted by us, only tagged
    any_name  awaited by its iface-id, whatever its name on the bridge; `name` is what compute services call it
    """

    kind: ClassVar[str] = "switch_ports"

    bridge: str
    name: str
    type: str = ""  # "", internal, patch, gre, vxlan, geneve
    options: dict[str, str] = {}
    external_ids: dict[str, str] = {}  # iface-id, attached-mac, …; without the two that mark ownership
    trunk: bool = False  # True: carries all tags (patch, NIC); never on the dead VLAN
    ofport: int = 0  # OpenFlow port number, 1..65279; 0: as the switch gives it
    awaited: bool = False
    any_name: bool = False

    @property
    def key(self) -> str:
        return self.name


class Flow(Thing, frozen=True, kw_only=True):
    """An OpenFlow entry, its match and actions in the canonical text of ``pipeline.text``.

    port  the switch port that it is about, without which no switch takes it; empty: none.  Where somebody else plugs
          that port, the flow waits as its tag does.  Part of the text already, and so no fact of its own.
    """

    kind: ClassVar[str] = "flows"

    bridge: str
    table: int
    priority: int
    match: str  # without table and priority; empty matches all
    actions: str
    cookie: int
    port: str = ""

    @property
    def key(self) -> str:
        return f"{self.bridge} table={self.table} priority={self.priority} {self.match}".rstrip()


class PortTag(Thing, frozen=True, kw_only=True):
    """The VLAN tag of a switch port: set last, once links, flows and filters are there.

    guarded  frames enter and leave by flows that name the port, and by nothing else: beside its tag it is put into
             ``vlan_mode=trunk, trunks=4095`` as on the dead VLAN, so that NORMAL neither takes from it nor gives to it
    """

    kind: ClassVar[str] = "port_tags"

    port: str
    vlan: int
    guarded: bool = False

    @property
    def key(self) -> str:
        return self.port

    @property
    def late(self) -> bool:
        """Says whether daemons serve those behind the port: all but routers' ports, which just forward."""
        return self.owner != "routing"


class Address(Thing, frozen=True, kw_only=True):
    """An address on a device."""

    kind: ClassVar[str] = "addresses"

    netns: str
    device: str
    cidr: str  # with host bits, as 10.0.0.2/24

    @property
    def key(self) -> str:
        return f"{self.netns}/{self.device} {self.cidr}"


class Route(Thing, frozen=True, kw_only=True):
    """A route in a namespace's main table."""

    kind: ClassVar[str] = "routes"

    netns: str
    destination: str  # CIDR; 0.0.0.0/0 or ::/0 for the default route
    via: str = ""  # empty: on link
    device: str

    @property
    def key(self) -> str:
        return f"{self.netns} {self.destination}"


class RuleSet(Thing, frozen=True, kw_only=True):
    """Our chains of one iptables table in one namespace; rules of others in that table are left alone.

    Rules are in the spelling of iptables-save(8), in the order of their chains' names, and in their own order within
    a chain.  Those of a built-in chain lead to chains of ours.

    part  where a table is kept in parts that fail by themselves: the first 10 characters of the port's id that this
          part is for, in which the names of its own chains end; its rules in other chains lead to those, or are about
          that port's bridge, and stand before those of the table's own part, which is the empty one.  Rules of groups,
          to which those of ports lead, are parts too (``base.ids.groups_part_name``).  What cannot be brought about is
          taken away, since what is left may let through what nobody wants any more: a part, or all rules of groups.
    """

    kind: ClassVar[str] = "rule_sets"

    netns: str
    ip_version: int  # 4 or 6; 0: frames that pass a Linux bridge, whatever they carry (ebtables(8))
    table: str  # nat, filter, mangle or raw
    chains: tuple[str, ...]  # ours, ascending
    rules: tuple[str, ...]  # each as "-A <chain> …"
    part: str = ""

    @property
    def key(self) -> str:
        family = f"ipv{self.ip_version}" if self.ip_version else "frames"
        return f"{self.netns} {family} {self.table} {self.part}".rstrip()


class AddressSet(Thing, frozen=True, kw_only=True):
    """An ipset of prefixes (ipset(8), hash:net) in the host's own namespace, that rules refer to by its name."""

    kind: ClassVar[str] = "address_sets"

    name: str  # at most 31 characters
    ip_version: int  # 4 or 6
    members: tuple[str, ...]  # as ipset(8) prints them: a lone address without length; ascending as text

    @property
    def key(self) -> str:
        return self.name


class Connections(Thing, frozen=True, kw_only=True):
    """What the kernel tracks in one zone: nothing counts as accepted that its ports' rules do not let through now.

    ends   the ports whose connections are tracked here, ascending by their first address
    stray  as observed: connections that a side once accepted and does not any more, or that cannot be told; the text
           of their tuples, ascending
    """

    kind: ClassVar[str] = "connections"

    zone: int
    ends: tuple[End, ...]
    stray: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return str(self.zone)


class Announcement(Thing, frozen=True, kw_only=True):
    """That the neighbours of a device were told who has an address now, since it was last set.

    By gratuitous ARP, or an unsolicited neighbour advertisement.  With another `turn` they are told anew: somebody
    else may have claimed the address meanwhile.
    """

    kind: ClassVar[str] = "announcements"

    netns: str
    device: str
    address: str
    turn: int = 0

    @property
    def key(self) -> str:
        return f"{self.netns}/{self.device} {self.address}"


class Sysctl(Thing, frozen=True, kw_only=True):
    """A kernel setting (sysctl(8)) of a namespace."""

    kind: ClassVar[str] = "sysctls"

    netns: str
    name: str  # with slashes, as net/ipv6/conf/qbr…/disable_ipv6
    value: str

    @property
    def key(self) -> str:
        return f"{self.netns} {self.name}"

    @property
    def late(self) -> bool:
        """Says whether it is a device's own; those of the namespace are what its devices begin with."""
        return _OF_A_DEVICE.fullmatch(self.name) is not None


_OF_A_DEVICE = re.compile(r"net/ipv[46]/(conf|neigh)/(?!(all|default)/)[^/]+/.*")


class File(Thing, frozen=True, kw_only=True):
    """A file with just this text."""

    kind: ClassVar[str] = "files"

    path: str  # absolute
    text: str
    mode: int = 0o644

    @property
    def key(self) -> str:
        return self.path


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """An address that a DHCP server may have given to a client."""

    mac: str
    address: str
    server: str  # the server's own address on that subnet


class Daemon(Thing, frozen=True, kw_only=True):
    """A process that outlives the agent, started anew when it dies or when its argv changes.

    reload_files  paths of File objects; when one of them changes, the process gets SIGHUP (after the file)
    leases        what it may hold in memory; one that is no longer here must be taken back before the SIGHUP
                  (DHCPRELEASE, RFC 2131, section 4.4.6), else dnsmasq keeps the address from its next owner
    read_at_start digest of what it reads from files when it starts and never again; with another one it is another
                  process
    unasked       it speaks as it starts and as it reads its files again, so that it must wait until it is heard; it is
                  not let say goodbye either, as another host may speak in its place already
    """

    kind: ClassVar[str] = "daemons"

    name: str  # such as dnsmasq-<network id>
    netns: str
    argv: tuple[str, ...]
    reload_files: tuple[str, ...] = ()
    leases: tuple[Lease, ...] = ()  # ascending by address's text
    read_at_start: str = ""  # empty: nothing
    unasked: bool = False

    @property
    def key(self) -> str:
        return self.name

    @property
    def late(self) -> bool:
        return self.unasked


KINDS: tuple[type[Thing], ...] = (
    Namespace,
    Guest,
    Link,
    Bridge,
    SwitchPort,
    Flow,
    PortTag,
    Sysctl,
    Address,
    Route,
    AddressSet,
    RuleSet,
    Connections,
    File,
    Daemon,
    GuestBoot,
    Announcement,
)
"""Every kind, in no particular order of application: that is ``desired.order``'s business."""


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """What the compiler could not honour; the state it gave is fail-closed there."""

    code: str  # stable, such as unknown-physical-network
    intent: tuple[str, ...]
    text: str  # a full sentence


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """All that one host must look like; each tuple ascending by key, each key once."""

    host: str
    namespaces: tuple[Namespace, ...] = ()
    guests: tuple[Guest, ...] = ()
    links: tuple[Link, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    switch_ports: tuple[SwitchPort, ...] = ()
    flows: tuple[Flow, ...] = ()
    port_tags: tuple[PortTag, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    address_sets: tuple[AddressSet, ...] = ()
    rule_sets: tuple[RuleSet, ...] = ()
    connections: tuple[Connections, ...] = ()
    files: tuple[File, ...] = ()
    daemons: tuple[Daemon, ...] = ()
    guest_boots: tuple[GuestBoot, ...] = ()
    announcements: tuple[Announcement, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    def things(self, kind: str) -> tuple[Thing, ...]:
        """Gives the objects of a kind, by the kind's name."""
        found: tuple[Thing, ...] = getattr(self, kind)
        return found
