from __future__ import annotations

import pytest
from deciding import ADMIN, Cloud, refused

from netglass.control import quotas
from netglass.control.networks import decide_create_network
from netglass.model.resources import Quota


def test_a_project_has_the_clouds_limits_until_it_has_its_own() -> None:
    cloud = Cloud()
    clouds = cloud.settings.default_quotas
    assert clouds.items() >= {"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50}.items()
    assert quotas.limits(cloud.snapshot, cloud.settings, "alice") == clouds
    cloud.decide(lambda d: quotas.decide_update_quota(d, "alice", {"network": 7, "port": -1}), ADMIN)
    row = cloud.decide(lambda d: quotas.decide_update_quota(d, "alice", {"network": 8, "check_limit": True}), ADMIN)
    assert (row.limits, row.revision_number) == ({"network": 8, "port": -1}, 2)
    assert quotas.limits(cloud.snapshot, cloud.settings, "alice") == clouds | {"network": 8, "port": -1}
    cloud.decide(lambda d: quotas.decide_delete_quota(d, "alice"), ADMIN)
    assert cloud.snapshot.count(Quota) == 0
    with refused("TenantQuotaNotFound", 404, "Quota for project alice could not be found."):
        cloud.decide(lambda d: quotas.decide_delete_quota(d, "alice"), ADMIN)


def test_usage_counts_a_projects_own_objects() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.subnet(network)
    cloud.port(network)
    cloud.port(network)
    cloud.router()
    nothing = dict.fromkeys(cloud.settings.default_quotas, 0)
    made = {"network": 1, "subnet": 1, "port": 2, "router": 1, "security_group": 1, "security_group_rule": 4}
    assert quotas.usage(cloud.snapshot, "alice") == nothing | made
    assert quotas.usage(cloud.snapshot, "bob") == nothing


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"pond": 5}, "'pond' is not a resource with a quota"),
        ({"port": -2}, "'-2' is not in range"),
        ({"port": 2**31}, "is not in range"),
        ({"port": 1}, "Quota limit 1 for port must be greater than or equal to already used 2"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(wanted: dict, words: str) -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.port(network)
    cloud.port(network)
    with refused("HTTPBadRequest", 400, words):
        cloud.decide(lambda d: quotas.decide_update_quota(d, "alice", wanted), ADMIN)


def test_a_limit_below_usage_can_be_forced_and_then_holds() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.port(network)
    cloud.decide(lambda d: quotas.decide_update_quota(d, "alice", {"port": 0, "force": True}), ADMIN)
    with refused("OverQuota", 409, "Quota exceeded for resources: ['port']."):
        cloud.port(network)


def test_a_negative_limit_limits_nothing() -> None:
    cloud = Cloud(default_quotas={"network": -1})
    assert [cloud.network().segmentation_id for _ in range(3)] == [1000, 1001, 1002]


def test_each_object_of_a_bulk_counts() -> None:
    cloud = Cloud(default_quotas={"network": 2})
    before = cloud.snapshot
    with refused("OverQuota", 409):
        cloud.decide(lambda d: [decide_create_network(d, {}) for _ in range(3)])
    assert cloud.snapshot is before
