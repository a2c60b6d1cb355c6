"""What a cloud takes up: objects and claims in its store, devices, rules, files and daemons on its hosts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import psycopg
from labs import TestLab

from netglass.lab.places import LabPlace
from netglass.lab.topology import Topology

Footprint = dict[str, set[str]]
"""What is there, by what it is and where."""

_STORE = ("SELECT kind, id FROM object", "SELECT scope, key FROM claim")

# One line a thing, with nothing that a restart changes: numbers of devices and processes, counters, times.  Routes of
# link-local addresses are the kernel's: they come a second or two after their device, which has a line of its own.
_HOST = r"""
spaces=$(ls /run/netns 2>/dev/null)
for space in "" $spaces; do
  within=${space:+ip netns exec $space}
  $within ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' | sed "s/^/device $space /"
  $within iptables-save | grep -v '^#' | sed -E 's/ ?\[[0-9:]+\]//' | sed "s/^/iptables $space /"
  $within ip6tables-save | grep -v '^#' | sed -E 's/ ?\[[0-9:]+\]//' | sed "s/^/ip6tables $space /"
  $within ip route show table all \
    | grep -vE 'cache|fe80::.* proto kernel' | sed -E 's/ expires [0-9]+sec//' | sed "s/^/route $space /"
done
ls /run/netns | sed 's/^/namespace /'
ipset list -n | sed 's/^/ipset /'
for bridge in $(ovs-vsctl list-br); do
  ovs-vsctl list-ports $bridge | sed "s/^/port $bridge /"
done
ovs-vsctl --columns=name,tag -f csv --no-heading list port | sed 's/^/tag /'
find /var/lib/neutron /run/netglass /var/lib/netglass /var/lib/nova -mindepth 1 \
  | grep -v ^/run/netglass/rules | sed 's/^/file /'
# A restarted agent keeps what it read of namespaces in which the one before it had nothing to look for.
for space in $(ls /run/netglass/rules); do
  test -e /run/netns/$space || echo "kept rules of no namespace $space"
done
ps -eo args= | grep -E '^(/usr/s?bin/)?(dnsmasq|haproxy|radvd)' | sort | sed 's/^/process /'
"""


def of_cloud(lab: TestLab) -> Footprint:
    """Gives all that a lab's cloud takes up."""
    return {"the store": of_store(lab.name)} | of_hosts(lab)


def of_store(lab: str) -> set[str]:
    """Gives the keys of everything that is in a lab's database."""
    return {" ".join(map(str, row)) for query in _STORE for row in _rows(lab, query)}


def _rows(lab: str, query: str) -> list[tuple[object, ...]]:
    place = LabPlace(lab)
    topology = _topology(place)
    if topology.cloud.database:
        with psycopg.connect(topology.cloud.database) as postgres:
            return postgres.execute(query.encode()).fetchall()
    path = place.host(topology.server_host).lib / "netglass/netglass.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def of_hosts(lab: TestLab) -> Footprint:
    """Gives what there is on each host that has an agent."""
    return {
        host: set(lab.on(host, "sh", "-c", _HOST).splitlines())
        for host, spec in _topology(LabPlace(lab.name)).hosts.items()
        if spec.roles
    }


def leaks(before: Footprint, after: Footprint) -> Iterator[str]:
    """Gives a line for everything that came or went."""
    for where in sorted(before.keys() | after.keys()):
        was, now = before.get(where, set()), after.get(where, set())
        yield from (f"{where}: left: {one}" for one in sorted(now - was))
        yield from (f"{where}: gone: {one}" for one in sorted(was - now))


def _topology(place: LabPlace) -> Topology:
    record = place.read()
    assert record is not None
    return record.topology
