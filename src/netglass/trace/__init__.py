"""Where a packet goes and why: desired states of hosts, interpreted; pure."""
