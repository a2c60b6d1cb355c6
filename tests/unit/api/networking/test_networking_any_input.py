"""Whatever is sent, the server answers with a fault of its own choosing, and what it refuses changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networking_cloud import Cloud

from netglass.api.networking.resources import NETWORK, PORT, RESOURCES, SUBNET
from netglass.model.caller import CloudSettings
from support.clients import Client

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "0", "-1", "10.0.0.0/8", "::/0", "fe80::1%eth0", "True", "null", "\n", "\x7f", "a" * 300, "é" * 60]
    ),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
KEYS = st.one_of(
    TEXTS,
    st.sampled_from(["start", "end", "subnet_id", "ip_address", "destination", "nexthop", "opt_name", "opt_value"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def cloud(module_database_url: str) -> Iterator[Cloud]:
    roomy = CloudSettings(default_quotas=dict.fromkeys(("network", "subnet", "port"), -1))
    made = Cloud(module_database_url, roomy)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def things(cloud: Cloud) -> dict[str, str]:
    """Makes one network, subnet and port; gives their ids by resource."""
    admin = cloud.as_("admin")
    network = admin.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    cidr = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}
    subnet = admin.post("/v2.0/subnets", json={"subnet": cidr}).json()["subnet"]["id"]
    port = admin.post("/v2.0/ports", json={"port": {"network_id": network}}).json()["port"]["id"]
    return {"network": network, "subnet": subnet, "port": port}


def _answered(cloud: Cloud, client: Client, method: str, path: str, body: Any) -> None:
    before = cloud.store.snapshot
    answer = client.request(method, path, json=body)
    assert answer.status_code < 500 or answer.json()["NeutronError"]["type"] == "NoNetworkAvailable", answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["NeutronError"]) == {"type", "message", "detail"}
        assert cloud.store.snapshot is before


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_of_any_attribute_is_answered(cloud: Cloud, things: dict[str, str], data: st.DataObject) -> None:
    client = cloud.as_("admin")
    resource = data.draw(st.sampled_from([NETWORK, SUBNET, PORT]))
    writable = [a.name for a in resource.attributes if a.post or a.put]
    values = data.draw(st.dictionaries(st.sampled_from(writable), VALUES, min_size=1, max_size=2))
    if data.draw(st.booleans()):
        whole = {"network_id": things["network"], "ip_version": 4, "cidr": "10.200.0.0/24"}
        needed = {name: whole[name] for name in resource.required}
        _answered(cloud, client, "POST", f"/v2.0/{resource.collection}", {resource.name: needed | values})
    else:
        path = f"/v2.0/{resource.collection}/{things[resource.name]}"
        _answered(cloud, client, "PUT", path, {resource.name: values})


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_query_is_answered(cloud: Cloud, things: dict[str, str], data: st.DataObject) -> None:
    client = cloud.as_("admin")
    resource = data.draw(st.sampled_from(RESOURCES))
    known = [a.name for a in resource.attributes]
    controls = [
        "fields",
        "sort_key",
        "sort_dir",
        "limit",
        "marker",
        "page_reverse",
        "tags",
        "not-tags",
        "changed_since",
    ]
    keys = st.sampled_from([*known, *controls])
    values = st.one_of(TEXTS, st.sampled_from(["1", "asc", "desc", "id", "name", things["port"]]))
    query = data.draw(st.lists(st.tuples(keys, values), max_size=4))
    answer = client.get(f"/v2.0/{resource.collection}", params=query)
    assert answer.status_code in (200, 400, 404), answer.text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=VALUES)
def test_any_body_is_answered(cloud: Cloud, things: dict[str, str], body: Any) -> None:
    client = cloud.as_("admin")
    for method, path in (("POST", "networks"), ("PUT", f"ports/{things['port']}"), ("PUT", "quotas/red")):
        _answered(cloud, client, method, f"/v2.0/{path}", body)
