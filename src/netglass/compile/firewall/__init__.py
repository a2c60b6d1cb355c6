"""Lowers port security and security groups: one model of rules, rendered by two drivers.

    rules    rows of rules as permits
    guards   the model: what each port of this host may send and receive
    sources  br-int's tables against forged senders, the same for both drivers
    chains   iptables on the port's Linux bridge       (driver iptables_hybrid)
    joints   permits put together, so that a packet meets few rules; sayings: in the words of iptables
    tables   connection tracking flows on br-int       (driver openvswitch)
    clauses  permits of groups as conjunctions; prefixes: members put together
    reasons  the way back, for the tracer

Fail closed: what cannot be read or rendered lets nothing through, and is told as a Diagnostic.
"""
