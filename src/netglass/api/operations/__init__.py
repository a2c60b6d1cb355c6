"""What operators ask of the whole: which hosts there are, what one must look like, and whether it does.

    GET /netglass/v1/hosts                          every host with what it last reported
    PATCH /netglass/v1/hosts/{host}                 {"paused": true or false}: freeze or release its agent
    POST /netglass/v1/hosts/{host}/token             {"servers": [URL…]}: a token by which it may join, for an hour
    DELETE /netglass/v1/hosts/{host}/credential      shut it out until it joins again
    GET /netglass/v1/hosts/{host}/plan              its desired state, compiled from intent as it is now
    GET /netglass/v1/hosts/{host}/diff              what differs from it on the host, which is asked
    GET /netglass/v1/revision                       the newest revision
    GET /netglass/v1/wait?revision=N&host=H         waits until hosts have realised a revision
    GET /netglass/v1/healed?since=T&host=H          what was damaged on hosts and put right
    GET /netglass/v1/trace?source=S&destination=D   where a packet goes, and why

`wait`: ``revision`` is a number or ``latest`` (the default); ``host`` may be repeated, and without it all hosts that
are alive are meant; ``timeout`` in seconds, at most 300, 30 by default.

`healed`: the newest `HEALED_MOST` at most, oldest first; ``since`` is RFC 3339 in UTC, and ``limit`` asks for fewer.

`trace`: source and destination as in ``trace.names``; ``protocol`` is icmp (the default), tcp or udp, these two with
``port``, arp or dhcp; ``size`` is that of the packet in bytes, ``one_way`` is true where what is sent back does not
matter; ``evidence`` is model.  Projects may trace between their own ports.

All the rest is for administrators; everybody shows who they are by X-Auth-Token.
"""

from __future__ import annotations

from starlette.routing import Route

from netglass.api.edge import endpoint
from netglass.api.feed import Feed
from netglass.api.hosts import fault_shape
from netglass.api.operations.desk import Desk
from netglass.api.operations.hosts import Hosts
from netglass.api.operations.past import Past
from netglass.api.operations.realised import Realised
from netglass.api.operations.traces import Traces
from netglass.api.services import Services


def routes(services: Services, feed: Feed) -> list[Route]:
    """Gives the operators' routes."""
    desk = Desk(services, feed)
    hosts, realised, past, traces = Hosts(desk), Realised(desk), Past(desk), Traces(desk)
    wrap = endpoint(fault_shape, services.store.caught_up)
    return [
        Route("/netglass/v1/hosts", wrap(hosts.hosts)),
        Route("/netglass/v1/hosts/{host}", wrap(hosts.pause), methods=["PATCH"]),
        Route("/netglass/v1/hosts/{host}/token", wrap(hosts.invite), methods=["POST"]),
        Route("/netglass/v1/hosts/{host}/credential", wrap(hosts.revoke), methods=["DELETE"]),
        Route("/netglass/v1/hosts/{host}/plan", wrap(hosts.plan)),
        Route("/netglass/v1/hosts/{host}/diff", wrap(hosts.diff)),
        Route("/netglass/v1/revision", wrap(realised.revision)),
        Route("/netglass/v1/wait", wrap(realised.wait)),
        Route("/netglass/v1/healed", wrap(past.healed)),
        Route("/netglass/v1/trace", wrap(traces.trace)),
    ]
