"""A story of servers that are killed, stopped and ended while clients make, change and delete what hangs together."""

from __future__ import annotations

import signal

import pytest
from process import StartServers

from support.load import Load, Where, clear, found

pytestmark = pytest.mark.server

CLIENTS = 4


def test_every_answer_is_true_whichever_way_servers_die_and_nothing_is_left_of_what_is_deleted(
    start_servers: StartServers,
) -> None:
    servers = start_servers(default_quotas={"network": -1, "subnet": -1, "port": -1})
    api = servers[-1].admin()
    load = Load([servers[n % len(servers)].admin for n in range(CLIENTS)], Where(), pace_s=0.0)
    try:
        for number, server in ((signal.SIGKILL, servers[0]), (signal.SIGTERM, servers[-1])):
            load.ledger.wait_for_answers(20)
            server.stop(number)
            server.start()
        load.ledger.wait_for_answers(20)
        servers[0].send(signal.SIGSTOP)
        try:
            if len(servers) > 1:
                load.ledger.wait_for_answers(5)  # the other server's clients go on
        finally:
            servers[0].send(signal.SIGCONT)
        load.ledger.wait_for_answers(20)
    finally:
        load.stop()

    for server in servers:
        assert load.ledger.contradictions(found(server.admin())) == []
    clear(api)
    assert found(api) == {}
    assert api.get("/v2.0/ports")["ports"] == []
