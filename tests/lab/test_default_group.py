"""What a user of Neutron expects of a new guest, by the unmodified client: the default group, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud import Cloud, end_project, new_project, until
from labs import TestLab
from story_fixtures import api_of

from support.api import Api

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]  # each call of the client is seconds of work


@pytest.fixture
def theirs(lab: TestLab) -> Iterator[Api]:
    """A project of this story's own, so that its default group is as it was made."""
    admin = api_of(lab, "admin")
    url = lab.environment("admin")["OS_AUTH_URL"].split("/identity")[0]
    made = new_project(admin, url, "newcomer")
    yield made
    end_project(admin, made, "newcomer")


def test_a_new_guest_is_in_the_default_group_which_lets_everything_out_and_its_own_members_in(
    lab: TestLab, theirs: Api
) -> None:
    def openstack(*words: str) -> Any:
        return lab.openstack(*words, user="admin")

    cloud = Cloud(lab, theirs, guarded=True)
    network = cloud.network("10.0.0.0/24")
    one = cloud.guest("one", network, "compute1")
    other = cloud.guest("other", network, "compute2")

    (group,) = openstack("security", "group", "list", "--project", theirs.project_id)
    assert (group["Name"], group["Description"]) == ("default", "Default security group")
    rules = openstack("security", "group", "rule", "list", group["ID"])
    said = {
        (r["Direction"], r["Ethertype"], r["IP Protocol"], r["IP Range"], r["Remote Security Group"]) for r in rules
    }
    assert said == {
        ("egress", "IPv4", None, "0.0.0.0/0", None),
        ("egress", "IPv6", None, "::/0", None),
        ("ingress", "IPv4", None, "0.0.0.0/0", group["ID"]),
        ("ingress", "IPv6", None, "::/0", group["ID"]),
    }
    port = openstack("port", "show", one.port_id)
    assert (port["security_group_ids"], port["port_security_enabled"]) == ([group["ID"]], True)
    assert theirs.get(f"/v2.0/ports/{other.port_id}")["port"]["security_groups"] == [group["ID"]]
    assert openstack("server", "show", other.id)["security_groups"] == [{"name": "default"}]

    # Its members hear one another.
    until(lambda: cloud.ping(one, other.address, 1).lost == 0, 30, "members reach one another")
    until(lambda: cloud.ping(other, one.address, 1).lost == 0, 30, "members reach one another")

    # Who is on the network and no member is answered, and is let in by nobody.
    stranger = cloud.guest("stranger", network, "compute2")
    outside = theirs.post("/v2.0/security-groups", {"security_group": {"name": "outside"}})["security_group"]["id"]
    rule = {"direction": "ingress", "remote_ip_prefix": "10.0.0.0/24", "security_group_id": outside}
    theirs.post("/v2.0/security-group-rules", {"security_group_rule": rule})
    assert theirs.call("PUT", f"/v2.0/ports/{stranger.port_id}", {"port": {"security_groups": [outside]}})[0] == 200
    assert lab.operator("wait", "--timeout", "20").returncode == 0
    assert cloud.ping(one, stranger.address, 3).lost == 0
    asked = cloud.ping(stranger, one.address, 20)
    assert (asked.sent, asked.lost) == (20, 20)
    assert cloud.ping(other, one.address, 3).lost == 0
    cloud.clear()
