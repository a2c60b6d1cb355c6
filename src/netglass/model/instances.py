"""Rows of Compute and Image: servers and what they are made of; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

from netglass.model.row import Row


class Server(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An instance: a guest that runs on one host."""

    kind: ClassVar[str] = "server"

    name: str
    user_id: str = ""
    description: str | None = None
    flavor_id: str
    image_id: str
    host: str = ""  # where it runs; empty when no host could take it
    availability_zone: str = ""
    hostname: str = ""
    key_name: str | None = None
    user_data: str | None = None  # base64, as given
    config_drive: str = ""
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    port_ids: tuple[str, ...] = ()  # eth0, eth1, … in this order
    own_port_ids: tuple[str, ...] = ()  # those that die with the server, as it made them itself
    power: str = "running"  # wanted: running or stopped
    boot: int = 1  # one more with every reboot; the agent starts the guest anew when it differs
    vm_state: str = "building"  # building, active, stopped, error
    task_state: str | None = None  # such as spawning, powering-off, rebooting; None at rest
    fault: str = ""  # why vm_state is error
    launched_at: str | None = None


class Flavor(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A size of instance."""

    kind: ClassVar[str] = "flavor"

    name: str
    vcpus: int = 1
    ram_mb: int = 64
    disk_gb: int = 0
    is_public: bool = True
    description: str | None = None
    extra_specs: dict[str, str] = {}


class Image(Row, frozen=True, kw_only=True, omit_defaults=True):
    """What an instance starts from.

    `guest` tells the agent how to run it: ``light`` is a namespace with a real DHCP client.
    """

    kind: ClassVar[str] = "image"

    name: str
    guest: str = "light"
    status: str = "active"
    visibility: str = "public"
    size: int = 0  # bytes
    disk_format: str = "raw"
    container_format: str = "bare"
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = True
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = {}
