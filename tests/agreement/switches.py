"""Real Open vSwitch, one ovs-vswitchd a host, that holds the bridges, ports, tags and flows of a desired state.

The devices are Open vSwitch's own dummies (``--enable-dummy=system``), as in its own test suite: the switch's database,
OpenFlow tables, learning, tunnels and translation into datapath actions are the real ones, and no device of the machine
is touched, so that it takes neither root nor namespaces, and milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from netglass.desired.state import DEAD_VLAN, HostState, SwitchPort
from netglass.pipeline.text import render_add

_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
UNDERLAY = "br-tunnel"


class Refused(Exception):
    """A program or the switch said no; the message is its own."""


class Unixctl:
    """A connection to a daemon's control socket (ovs-appctl(8)), kept open."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(path))

    def __call__(self, command: str, *arguments: str) -> str:
        request = {"method": command, "params": list(arguments), "id": 0}
        self._socket.sendall(json.dumps(request).encode())
        text, decoder = "", json.JSONDecoder()
        while True:
            text += self._socket.recv(1 << 16).decode()
            try:
                answer, _ = decoder.raw_decode(text)
            except ValueError:
                continue
            if answer["error"] is not None:
                raise Refused(f"{command} {' '.join(arguments)}: {answer['error']}")
            return str(answer["result"])

    def close(self) -> None:
        self._socket.close()


class Switch:
    """One host's ovsdb-server and ovs-vswitchd in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._remote = f"unix:{directory}/db.sock"
        self._environment = os.environ | {f"OVS_{kind}DIR": str(directory) for kind in ("RUN", "DB", "LOG", "SYSCONF")}
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._run("ovsdb-tool", "create", f"{directory}/conf.db", _SCHEMA)
        self._start(
            "ovsdb-server", f"{directory}/conf.db", f"--remote=p{self._remote}", f"--unixctl={directory}/db.ctl"
        )
        self._vsctl("--no-wait", "--retry", "init")
        quiet = ("--enable-dummy=system", "--disable-system", "--log-file", "-vconsole:off")
        self._start("ovs-vswitchd", self._remote, f"--unixctl={directory}/switch.ctl", *quiet)
        self._vsctl(
            "--retry", "set", "Open_vSwitch", ".", "external_ids:started=yes"
        )  # returns once the switch follows
        self.ask = Unixctl(directory / "switch.ctl")

    def close(self) -> None:
        """Ends both daemons."""
        self.ask.close()
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait()

    def hold(self, state: HostState, peers: Mapping[str, str]) -> None:
        """Takes on a state in the place of the one before.

        peers  the other hosts' tunnel addresses, with the MAC that answers for each
        """
        old = self._vsctl("list-br").split()
        words: list[str] = []
        for bridge in old:
            words += ["--", "del-br", bridge]
        self._vsctl(*words) if words else None
        words = []
        for bridge in state.bridges:
            protocols = ",".join(bridge.protocols)
            words += ["--", "add-br", bridge.name, "--", "set", "Bridge", bridge.name]
            words += ["datapath_type=dummy", f"fail_mode={bridge.fail_mode}", f"protocols={protocols}"]
        tags = {tag.port: tag.vlan for tag in state.port_tags}
        for port in state.switch_ports:
            words += self._port(port, tags.get(port.name, DEAD_VLAN))
        self._vsctl(*words)
        for bridge in state.bridges:
            lines = [render_add(flow) for flow in state.flows if flow.bridge == bridge.name]
            argv = ("ovs-ofctl", "-O", "OpenFlow15", "--bundle", "--names", "add-flows")
            self._run(*argv, f"unix:{self._directory}/{bridge.name}.mgmt", "-", given="".join(f"{x}\n" for x in lines))
        self._underlay(state, peers)

    def _port(self, port: SwitchPort, tag: int) -> list[str]:
        words = ["--", "add-port", port.bridge, port.name, "--", "set", "Interface", port.name]
        # Without the system's own routing table the switch knows no address as its own but by the route that it has one
        # by, so that the local end cannot be asked for; it is the same all the same.
        options = {key: value for key, value in port.options.items() if key != "local_ip"}
        words += [f"type={port.type or 'system'}", *(f"options:{key}={value}" for key, value in options.items())]
        words += [f"ofport_request={port.ofport}"] if port.ofport else []
        if port.trunk:
            return words
        words += ["--", "set", "Port", port.name, f"tag={tag}"]
        return words + (["vlan_mode=trunk", f"trunks={DEAD_VLAN}"] if tag == DEAD_VLAN else [])

    def _underlay(self, state: HostState, peers: Mapping[str, str]) -> None:
        """Tells the switch how its tunnels' packets leave, which a real one reads off the kernel."""
        own = [one.cidr for one in state.addresses if one.netns == "" and one.device == UNDERLAY]
        for cidr in own:
            self.ask("netdev-dummy/ip4addr", UNDERLAY, cidr)
            self.ask("ovs/route/add", cidr, UNDERLAY)
        for address, mac in peers.items() if own else ():
            self.ask("tnl/neigh/set", UNDERLAY, address, mac)

    def forget(self, bridges: Iterable[str]) -> None:
        """Lets the switch forget whom it has heard."""
        for bridge in bridges:
            self.ask("fdb/flush", bridge)
            if bridge == "br-tun":
                self._run(
                    "ovs-ofctl",
                    "del-flows",
                    f"unix:{self._directory}/br-tun.mgmt",
                    "cookie=0x4e4c000000000000/0xffff000000000000",
                )

    def trace(self, bridge: str, flow: str) -> str:
        """Has a packet translated, with all that it teaches the switch."""
        return self.ask("ofproto/trace", "--names", bridge, flow, "-generate")

    def _start(self, *argv: str) -> None:
        self._daemons.append(
            subprocess.Popen(argv, env=self._environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    def _vsctl(self, *words: str) -> str:
        return self._run("ovs-vsctl", f"--db={self._remote}", *words)

    def _run(self, *argv: str, given: str = "") -> str:
        done = subprocess.run(
            argv, env=self._environment, input=given, capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            raise Refused(f"{' '.join(argv)}: {done.stderr or done.stdout}\n{given}")
        return done.stdout


class Switches:
    """The switches of several hosts; started when first wanted, and used again for the next cloud."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._all: dict[str, Switch] = {}

    def hold(self, states: Iterable[HostState]) -> None:
        """Has each host's switch take on its state."""
        found = list(states)
        addresses = {state.host: self._address(state) for state in found}
        for state in found:
            if state.host not in self._all:
                place = self._directory / state.host
                place.mkdir(parents=True)
                self._all[state.host] = Switch(place)
            peers = {
                a: f"02:00:00:00:00:{int(a.rpartition('.')[2]):02x}"
                for h, a in addresses.items()
                if a and h != state.host
            }
            self._all[state.host].hold(state, peers)

    def __getitem__(self, host: str) -> Switch:
        return self._all[host]

    def close(self) -> None:
        for switch in self._all.values():
            switch.close()

    @staticmethod
    def _address(state: HostState) -> str:
        return next((a.cidr.partition("/")[0] for a in state.addresses if a.device == UNDERLAY), "")


@contextmanager
def switches(directory: Path) -> Iterator[Switches]:
    """Gives switches that end with the block."""
    made = Switches(directory)
    try:
        yield made
    finally:
        made.close()
