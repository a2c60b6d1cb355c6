"""The replica of the switch's database, on a real ovsdb-server."""

from __future__ import annotations

import pytest
from hosted import on_a_host, shell

from netglass.host.ovsdb import Database, update

pytestmark = pytest.mark.host


@on_a_host
def test_what_comes_in_the_middle_of_a_transaction_is_news_afterwards() -> None:
    database = Database()
    database.await_ready(5)
    database.run()
    while database.run():
        pass
    shell("ovs-vsctl", "add-br", "br-theirs", "--", "set", "Bridge", "br-theirs", "datapath_type=netdev")
    database.transact([update("Open_vSwitch", database.root_uuid(), {"next_cfg": 100})])
    assert "br-theirs" in database.bridges()
    assert database.run()
    assert not database.run()
