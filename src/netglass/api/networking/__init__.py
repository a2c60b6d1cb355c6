"""Networking v2.0: resources declared once, and everything that clients see of them derived from that.

    kinds       value kinds: how a JSON value is read, what a filter's text means, its JSON schema
    declare     Attribute, Resource, Operation: the frozen values in which the API is written down
    policy      the one table of who may do what
    resources/  the declarations themselves, one module per resource
    bodies, query, listing, render   generic reading, filtering, paging and showing
    members, tags, quotas, extensions, versions   the operations; routes and OpenAPI follow from them

Adding an attribute is a line in ``resources/``; adding a resource is a module there and its decisions in ``control``.
Source: Networking API v2.0; the wording of faults is Neutron's, since clients match on it.
"""

from netglass.api.networking.assemble import OPERATIONS, routes

__all__ = ["OPERATIONS", "routes"]
