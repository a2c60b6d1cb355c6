"""Turns a device as the kernel tells it into a Link as it would be wanted."""

from __future__ import annotations

from collections.abc import Mapping

from netglass.agent.appliers.marks import Mark
from netglass.desired.state import Link
from netglass.host.netlink import Device

_FORMS = {"veth": "veth", "bridge": "bridge", "tun": "internal", "openvswitch": "internal"}


def observed_link(
    netns: str, device: Device, wanted: Link | None, mark: Mark | None, name_of: Mapping[int, str]
) -> Link:
    """Gives the Link that a device is; what `wanted` leaves as it is comes back as `wanted` has it.

    mark     owner and intent that the device carries; None for one that is not ours
    name_of  names of the namespace's devices by index
    TX checksum offload is not looked at: it reads as wanted.
    """
    owner, intent = mark or ("", ())
    form = _FORMS.get(device.kind, "nic")
    peer = name_of.get(device.peer, "") if form == "veth" else ""
    mac, mtu, master, tx_checksum = device.mac, device.mtu, name_of.get(device.master, ""), True
    if wanted is not None:
        owner, intent, tx_checksum = wanted.owner, wanted.intent, wanted.tx_checksum
        if wanted.awaited:
            form, peer = wanted.form, wanted.peer
        mac = mac if wanted.mac else ""
        mtu = mtu if wanted.mtu else 0
        master = master if wanted.master else ""
    return Link(
        owner=owner,
        intent=intent,
        netns=netns,
        name=device.name,
        form=form,
        peer=peer,
        mac=mac,
        mtu=mtu,
        master=master,
        tx_checksum=tx_checksum,
        up=device.up,
    )
