"""Many real hosts on one machine: namespaces of their own, the same switch, daemons, agent and API as anywhere.

`build` brings labs up and down, `entry` leads into them, `topology` reads their files; `init` is their hosts' PID 1.
"""
