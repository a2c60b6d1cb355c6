"""Says which kind of switch a machine can run: in the kernel (``system``) or in ovs-vswitchd itself (``netdev``)."""

from __future__ import annotations

import socket
import struct

from netglass.host import rtnetlink as rt

_GENERIC = 16  # NETLINK_GENERIC
_CONTROL, _GET_FAMILY = 16, 3  # GENL_ID_CTRL, CTRL_CMD_GETFAMILY
_FAMILY_NAME = 2  # CTRL_ATTR_FAMILY_NAME


def kernel_switch_exists() -> bool:
    """Says whether the kernel has Open vSwitch's datapath; asking loads its module where there is one.

    Source: linux/genetlink.h; the database's own ``datapath_types`` names ``system`` whether or not it can be had.
    """
    body = struct.pack("=BBH", _GET_FAMILY, 1, 0) + rt.text(_FAMILY_NAME, "ovs_datapath")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC) as asking:
        asking.settimeout(5)
        asking.bind((0, 0))
        asking.send(rt.message(_CONTROL, rt.REQUEST, 1, body))
        return all(kind != rt.NLMSG_ERROR for kind, _, _ in rt.messages(asking.recv(1 << 16)))
