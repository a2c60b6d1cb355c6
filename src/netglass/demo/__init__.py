"""The three use cases of a cloud network, shown on real hosts and checked: create a network, launch guests, serve DHCP.

`run.show` plays them.  A use case is a generator of events (`claims.Event`): what was said, what a command printed,
what is claimed of it.  `reading` turns printed text into values and touches nothing; `stage` runs the commands.
"""
