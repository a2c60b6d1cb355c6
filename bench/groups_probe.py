"""What ``groups`` runs on a lab's hosts and, by its text, in its guests: standard library only.

    groups_probe.py plug|unplug '{"ports": […], "driver": D}'        on a host: plugs ports as a compute service would
    groups_probe.py count '{"driver": D}'                            on a host: rules or flows that filter guests
    groups_probe.py read                                             on a host: bytes that the agent has been sent, and
                                                                     connections that the kernel tracks
    groups_probe.py hear '{"quiet_s": S}'                            in a guest: answers UDP, tells times of packets
    groups_probe.py say '{"source": A, "target": B, "each_s": S}'    in a guest: sends UDP from an address
    groups_probe.py spray '{"source": A, "target": B, "seconds": S}' in a guest: sends, each packet another connection
    groups_probe.py sink '{"port": P}'                               in a guest: takes one TCP stream
    groups_probe.py pour '{"target": B, "port": P, "seconds": S}'    in a guest: sends one
    groups_probe.py got                                              in a guest: UDP packets that it was given so far

`hear` and `say` print a line once they are at it, and end when nobody holds their input.  `hear` reads words: ``first``
prints when the next packet came; ``last`` waits until none came for `quiet_s`, and prints when the last one did.  Times
are of the machine's monotonic clock.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PORT = 7
_BYTES = 1 << 16


def plug(ports: list[str], driver: str) -> dict[str, Any]:
    """Gives each port a veth pair on br-int, all in one transaction."""
    argv = ["ovs-vsctl", "--no-wait"]
    for number, port in enumerate(ports):
        near = _device(port, driver)
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", f"far{number}")
        _run("ip", "link", "set", near, "up")
        argv += ["--", "add-port", "br-int", near, "tag=4095"]
        argv += ["--", "set", "Interface", near, f"external_ids:iface-id={port}"]
    _run(*argv)
    return {}


def unplug(ports: list[str], driver: str) -> dict[str, Any]:
    """Takes them away."""
    _run("ovs-vsctl", "--no-wait", *(w for p in ports for w in ("--", "--if-exists", "del-port", _device(p, driver))))
    for port in ports:
        _run("ip", "link", "del", _device(port, driver))
    return {}


def _device(port: str, driver: str) -> str:
    return f"{'qvo' if driver == 'iptables_hybrid' else 'tap'}{port[:11]}"


def count(driver: str) -> dict[str, Any]:
    """Counts what filters guests: rules of both families on Linux bridges, and flows of br-int's tables for it."""
    flows = _run("ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", "br-int").splitlines()
    tables = [int(found[1]) for line in flows if (found := re.search(r"table=(\d+)", line))]
    filtering = sum(24 <= table <= 25 or 60 <= table <= 94 for table in tables)
    rules = 0
    if driver == "iptables_hybrid":
        saved = [_run(f"{name}-save") for name in ("iptables", "ip6tables")]
        rules = sum(
            line.startswith("-A") and "neutron-openvswi" in line for text in saved for line in text.splitlines()
        )
    return {"flows": filtering, "rules": rules}


def read() -> dict[str, Any]:
    """Gives the bytes that came by the agent's connections to the server that are open now, and what is tracked."""
    shown = _run("ss", "-tinpH", "state", "established")
    entries = re.split(r"\n(?=\S)", shown)
    found = [re.search(r"bytes_received:(\d+)", one) for one in entries if ":9696" in one.split("\n")[0]]
    tracked = int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())
    return {"bytes": sum(int(one[1]) for one in found if one), "tracked": tracked}


def hear(quiet_s: float) -> None:
    """Answers every packet, and tells times when asked."""
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("0.0.0.0", PORT))
    print("listening", flush=True)
    wanted, came, last = "", 0.0, time.monotonic()
    while True:
        ready, _, _ = select.select([wire, sys.stdin], [], [], 0.02)
        now = time.monotonic()
        if sys.stdin in ready:
            wanted = sys.stdin.readline().strip()
            if not wanted:
                return
            came = last if wanted == "last" else 0.0
        if wire in ready:
            text, sender = wire.recvfrom(2048)
            wire.sendto(text, sender)
            came = last = now
        if (wanted == "first" and came) or (wanted == "last" and now - came > quiet_s):
            print(came, flush=True)
            wanted = ""


def say(source: str, target: str, each_s: float) -> None:
    """Sends at an even pace, always of the same connection."""
    wire = _raw()
    packet = _udp(source, target, 5000, PORT)
    print("sending", flush=True)
    # Killing what entered the guest would leave this behind: its input says when to end.
    due = time.monotonic()
    while True:
        wire.sendto(packet, (target, 0))
        due += each_s
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            return


def spray(source: str, target: str, seconds: float) -> dict[str, Any]:
    """Sends as fast as it goes; each packet is of a connection of its own."""
    wire = _raw()
    packets = [_udp(source, target, 1024 + number % 60000, PORT + 1 + number // 60000) for number in range(60000)]
    begun = time.monotonic()
    end, sent = begun + seconds, 0
    while time.monotonic() < end:
        for packet in packets[sent % 60000 :][:256]:
            wire.sendto(packet, (target, 0))
            sent += 1
    return {"sent": sent, "seconds": time.monotonic() - begun}


def sink(port: int) -> dict[str, Any]:
    """Takes a stream; gives its bytes, and for how long it ran."""
    with socket.create_server(("0.0.0.0", port)) as server:
        print("listening", flush=True)
        stream, _ = server.accept()
        begun, got = time.monotonic(), 0
        while chunk := stream.recv(_BYTES):
            got += len(chunk)
        return {"bytes": got, "seconds": time.monotonic() - begun}


def pour(target: str, port: int, seconds: float) -> dict[str, Any]:
    """Sends a stream."""
    chunk, end = bytes(_BYTES), time.monotonic() + seconds
    with socket.create_connection((target, port), 10) as stream:
        while time.monotonic() < end:
            stream.sendall(chunk)
    return {}


def got() -> dict[str, Any]:
    """Gives the UDP packets that came, wanted or not."""
    names, values = (
        line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")
    )
    counts = dict(zip(names, map(int, values), strict=True))
    return {"packets": counts["InDatagrams"] + counts["NoPorts"] + counts["RcvbufErrors"]}


def _raw() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _udp(source: str, target: str, source_port: int, port: int) -> bytes:
    body = struct.pack(">HHHH", source_port, port, 18, 0) + b"netglass\0\0"  # no checksum: that is allowed in IPv4
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 17, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(target) + body


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    _verb, _arguments = sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    _said = globals()[_verb](**_arguments)
    if _said is not None:
        print(json.dumps(_said))
