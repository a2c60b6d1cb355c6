"""Netglass: private networks for virtual machines, behind the OpenStack Networking API, that explain themselves."""

__version__ = "0.1.0"
