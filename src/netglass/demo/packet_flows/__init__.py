"""The second document, the course "Understanding Packet Flows in OpenStack Neutron": a module for each of its sections.

Two go beyond it: `floating_ip`, the way back in, and `explained`, which asks Netglass why.
"""
