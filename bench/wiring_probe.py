"""What `bench/wiring.py` runs on a lab's host: plugs interfaces, speaks DHCP on them, watches switch, API and agent.

    wiring_probe.py plug|wire|unplug|restart|blink|idle JSON      prints JSON

The database has an interface's tag before the switch follows it, so that the first interface sends a DHCPDISCOVER
every `_PILOT_S` until it is answered; then all others send theirs, and again after `_AGAIN_S`.  Frames are raw, offers
are asked for by unicast and filtered in the kernel, so that the measuring takes little of the cores that it shares with
what is measured: a hundred broadcasts on one network are ten thousand frames.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from netglass.base.ids import qvo_name
from netglass.host.netlink import Netlink, delete_link, new_veth, set_link
from netglass.host.ovsdb import Database

DEAD_VLAN = 4095
AGENT_LOG = Path("/var/log/netglass/agent.log")
_MOST_S = 60.0
_PILOT_S = 0.005
_AGAIN_S = 1.0
_ETH_P_IP = 0x0800
_SO_ATTACH_FILTER = 26
# ldb [23] (protocol); jeq UDP; ldh [36] (destination port, no IP options); jeq 68; accept; drop.  Source: bpf(4).
_OFFERS_ONLY = ((0x30, 0, 0, 23), (0x15, 0, 3, 17), (0x28, 0, 0, 36), (0x15, 0, 1, 68), (6, 0, 0, 2048), (6, 0, 0, 0))


class Far:
    """The guest's side of one interface, as a DHCP client sees it."""

    def __init__(self, port: dict[str, str], number: int) -> None:
        self.port = port
        self.near, self.far = qvo_name(port["id"]), f"far{number}"
        self.xid = struct.pack("!I", 0x57000000 + number)
        self.frame = discover(port["mac"], self.xid)
        self.asked = 0.0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setblocking(False)

    def open(self) -> None:
        """Begins to listen for offers; the device must be there."""
        program = b"".join(struct.pack("HBBI", *line) for line in _OFFERS_ONLY)
        buffer = ctypes.create_string_buffer(program)
        self.socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_OFFERS_ONLY), ctypes.addressof(buffer))
        )
        self.socket.bind((self.far, _ETH_P_IP))

    def ask(self, now: float, each_s: float) -> None:
        """Sends a DISCOVER, when none was sent in the last `each_s` seconds."""
        if now - self.asked >= each_s:
            self.asked = now
            self.socket.send(self.frame)

    def answered(self) -> bool:
        """Says whether an offer of the right address is among what has come."""
        wanted = socket.inet_aton(self.port["ip"])
        while True:
            try:
                frame = self.socket.recv(2048)
            except BlockingIOError:
                return False
            bootp = frame[42:]
            # BOOTREPLY of our transaction; yiaddr is at 16 (RFC 2131, figure 1).
            if bootp[:1] == b"\x02" and bootp[4:8] == self.xid and bootp[16:20] == wanted:
                return True


def discover(mac: str, xid: bytes) -> bytes:
    """Gives the frame of a DHCPDISCOVER (RFC 2131), sent to everybody."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    fixed = struct.pack("!BBBB4sHH16x16s64x128x", 1, 1, 6, 0, xid, 0, 0, hardware)
    bootp = fixed + bytes.fromhex("63825363") + bytes([53, 1, 1, 55, 3, 1, 3, 6, 255])
    udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    words = struct.unpack("!10H", head)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    ip = head[:10] + struct.pack("!H", checksum) + head[12:]
    return b"\xff" * 6 + hardware + struct.pack("!H", _ETH_P_IP) + ip + udp


def plug(ports: list[dict[str, str]], url: str, token: str) -> dict[str, list[float]]:
    """Makes the interfaces, puts them on br-int at once, and gives when each was tagged, answered and ACTIVE (ms)."""
    fars = [Far(port, number) for number, port in enumerate(ports)]
    make(fars)
    for far in fars:
        far.open()
    database = Database()
    database.await_ready(5)
    argv = plugging_words(fars)
    started = time.monotonic()
    plugging = subprocess.Popen(argv)
    times = watch(fars, database, url, token, started)
    plugging.wait()
    return times


def make(fars: list[Far]) -> None:
    """Makes the interfaces, without putting them on the switch."""
    kernel = Netlink()
    kernel.apply([new_veth(far.near, far.far, "", far.port["mac"]) for far in fars])
    index = {device.name: device.index for device in kernel.devices()}
    kernel.apply([set_link(index[name], up=True, mtu=1500) for far in fars for name in (far.near, far.far)])


def plugging_words(fars: list[Far]) -> list[str]:
    """Gives the command that puts interfaces on br-int as a compute service does."""
    argv = ["ovs-vsctl", "--no-wait"]
    for far in fars:
        ids = f"external_ids:iface-id={far.port['id']}"
        argv += ["--", "add-port", "br-int", far.near, "tag=4095", "--", "set", "Interface", far.near, ids]
    return argv


def wire(ports: list[dict[str, str]], first: int) -> dict[str, int]:
    """Plugs interfaces and waits for nothing; `first` is the number of the first far end."""
    fars = [Far(port, first + number) for number, port in enumerate(ports)]
    make(fars)
    subprocess.run(plugging_words(fars), check=True)
    return {"plugged": len(fars)}


def blink() -> dict[str, float]:
    """Kills ovs-vswitchd; gives how long until there is another."""
    pid_file = Path("/run/openvswitch/ovs-vswitchd.pid")
    pid = int(pid_file.read_text())
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while time.monotonic() - killed < _MOST_S:
        with contextlib.suppress(FileNotFoundError):  # while the new one is taking its place
            if int(pid_file.read_text() or 0) not in (0, pid):
                return {"another_ms": _ms(killed)}
        time.sleep(0.005)
    raise SystemExit(f"ovs-vswitchd did not come back in {_MOST_S} s")


def watch(fars: list[Far], database: Database, url: str, token: str, started: float) -> dict[str, list[float]]:
    """Waits for all three marks of all interfaces; gives each in milliseconds since `started`, ascending."""
    marks: dict[str, dict[str, float]] = {"tagged": {}, "answered": {}, "active": {}}
    while any(len(found) < len(fars) for found in marks.values()):
        if time.monotonic() - started > _MOST_S:
            told = ", ".join(f"{len(found)} {name}" for name, found in marks.items())
            raise SystemExit(f"after {_MOST_S:.0f} s, of {len(fars)}: {told}")
        look_at_switch(fars, database, marks["tagged"], started)
        piloting = not marks["answered"]
        waiting = [far for far in fars if far.near in marks["tagged"] and far.near not in marks["answered"]]
        waiting = waiting[:1] if piloting else waiting
        for far in waiting:
            far.ask(time.monotonic(), _PILOT_S if piloting else _AGAIN_S)
            if far.answered():
                marks["answered"][far.near] = _ms(started)
        if len(marks["tagged"]) == len(fars) and len(marks["active"]) < len(fars):
            look_at_api(fars, url, token, marks["active"], started)
        select.select([*(far.socket for far in waiting), *database.wakes()[0]], [], [], 0.002)
    return {name: sorted(found.values()) for name, found in marks.items()}


def look_at_switch(fars: list[Far], database: Database, tagged: dict[str, float], started: float) -> None:
    """Notes the interfaces that have their network's tag by now."""
    if len(tagged) < len(fars) and database.run():
        rows, at = database.ports(), _ms(started)
        for far in fars:
            if far.near in rows and rows[far.near].tag not in (None, DEAD_VLAN):
                tagged.setdefault(far.near, at)


def look_at_api(fars: list[Far], url: str, token: str, active: dict[str, float], started: float) -> None:
    """Notes the ports that are ACTIVE by now."""
    near_by_id = {far.port["id"]: far.near for far in fars}
    for port in status(url, token):
        if port["status"] == "ACTIVE" and port["id"] in near_by_id:
            active.setdefault(near_by_id[port["id"]], _ms(started))


def status(url: str, token: str) -> list[dict[str, str]]:
    """Asks the API for the network's ports."""
    request = urllib.request.Request(url, headers={"X-Auth-Token": token})
    with urllib.request.urlopen(request) as answer:
        ports: list[dict[str, str]] = json.loads(answer.read())["ports"]
    return ports


def unplug(ports: list[str]) -> dict[str, int]:
    """Takes interfaces away."""
    names = [qvo_name(port) for port in ports]
    argv = ["ovs-vsctl"]
    for name in names:
        argv += ["--", "--if-exists", "del-port", "br-int", name]
    subprocess.run(argv, check=True)
    kernel = Netlink()
    index = {device.name: device.index for device in kernel.devices()}
    kernel.apply([delete_link(index[name]) for name in names if name in index])
    return {"unplugged": len(names)}


def agent_pid() -> int:
    """Gives the pid of this host's agent; 0 when none runs."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"netglass.agent.main" in words:
            return int(entry.name)
    return 0


def restart() -> dict[str, float]:
    """Kills the agent; gives how long until the next one has read everything and says: nothing to do."""
    pid = agent_pid()
    position = AGENT_LOG.stat().st_size
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    started = 0.0
    while time.monotonic() - killed < _MOST_S:
        new = agent_pid()
        if new not in (0, pid) and not started:
            ticks = int(Path(f"/proc/{new}/stat").read_text().rsplit(")", 1)[1].split()[19])
            started = ticks / os.sysconf("SC_CLK_TCK")  # seconds since boot, as the boot-time clock counts
        text = AGENT_LOG.read_bytes()[position:]
        if started and b"nothing to do" in text:
            now = time.clock_gettime(time.CLOCK_BOOTTIME)
            return {"from_start_ms": (now - started) * 1000, "from_kill_ms": _ms(killed)}
        time.sleep(0.005)
    raise SystemExit(f"the agent did not come back in {_MOST_S} s, or it changed something; see {AGENT_LOG}")


def idle(seconds: float) -> dict[str, float]:
    """Gives the agent's share of a core over some time, its monitors' included, and its resident memory."""
    pid = agent_pid()
    before = _ticks(pid)
    time.sleep(seconds)
    used = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return {"percent": 100 * used / seconds, "rss_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6}


def _ticks(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for number in (str(pid), *children):
        fields = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])  # utime, stime, and those of children that have ended
    return total


def _ms(since: float) -> float:
    return round((time.monotonic() - since) * 1000, 2)


def main() -> None:
    """Does one verb and prints what it measured."""
    verbs: dict[str, Any] = {
        "plug": plug, "wire": wire, "unplug": unplug, "restart": restart, "blink": blink, "idle": idle,
    }  # fmt: skip
    print(json.dumps(verbs[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
