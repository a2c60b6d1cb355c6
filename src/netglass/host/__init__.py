"""Thin, dumb access to one machine: netlink, OVSDB, OpenFlow, processes, files."""
