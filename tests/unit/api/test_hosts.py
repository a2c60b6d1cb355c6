"""Agents register, report and answer; each speaks for its own host only.  Operators look on."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from starlette.applications import Starlette

from netglass.api import hosts, metrics, operations
from netglass.api.feed import Feed
from netglass.api.presence import watch_presence
from netglass.api.questions import Questions
from netglass.api.services import Services
from netglass.api.tokens import Tokens
from netglass.control.decision import Decision
from netglass.control.identity import Account, ensure_cloud, project_by_name, user_by_name
from netglass.model.caller import Caller, CloudSettings
from netglass.model.protocol import PROTOCOL, PROTOCOL_HEADER, Failing, Healed, Registration, Report, host_credential
from netglass.model.resources import (
    AddressRange,
    FixedIp,
    Host,
    HostSettings,
    Network,
    Port,
    Row,
    Subnet,
)
from netglass.store.healings import Healings
from netglass.store.reports import Reports
from netglass.store.store import Store
from support.clients import Client

SECRET = "the agents' secret"
METRICS = "the metrics' token"
ADMIN = Caller(roles=("admin",))
HYPERVISOR = Registration(roles=("hypervisor",), settings=HostSettings(bridge_mappings={"default": "br-eth2"}), vcpus=4)
NETWORK_HOST = msgspec.structs.replace(HYPERVISOR, roles=("network",))
BLUE = Network(id="blue", project_id="p1", physical_network="default", segmentation_id=1000)
SUBNET = Subnet(
    id="sub",
    project_id="p1",
    network_id="blue",
    cidr="10.0.0.0/24",
    gateway_ip="10.0.0.1",
    allocation_pools=(AddressRange("10.0.0.2", "10.0.0.254"),),
)


def guest_port(host: str = "compute1", **values: Any) -> Port:
    return Port(
        id="p1",
        project_id="p1",
        network_id="blue",
        mac_address="fa:16:3e:00:00:01",
        fixed_ips=(FixedIp("sub", "10.0.0.50"),),
        device_owner="compute:nova",
        host_id=host,
        **values,
    )


def report(**values: Any) -> Report:
    return Report(version="0.1.0", started_at="2026-11-21T12:00:00Z", realised_revision=values.pop("at", 1), **values)


class Cloud:
    """Store, routes of agents and operators, and a client for each."""

    def __init__(self, store: Store) -> None:
        self.store = store
        tokens = Tokens(Fernet.generate_key(), 3600, store)
        self.services = Services(
            store=store,
            healings=Healings(store),
            reports=Reports(store, 15),
            tokens=tokens,
            questions=Questions(),
            settings=CloudSettings(),
            public_url="http://127.0.0.1:9696",
            agent_secret=SECRET,
            metrics_token=METRICS,
        )
        self.feed = Feed(store)
        self.services.questions.carry_by(self.feed.ask)
        app = Starlette(
            routes=[
                *hosts.routes(self.services, self.feed),
                *operations.routes(self.services, self.feed),
                *metrics.routes(self.services),
            ],
        )
        self.client = Client(app)
        self.tokens = {name: self._token(tokens, name) for name in ("admin", "demo")}

    def _token(self, tokens: Tokens, name: str) -> str:
        accounts = [Account("admin", "x", "admin", "admin"), Account("demo", "x", "demo")]
        self.commit(lambda d: ensure_cloud(d, accounts))
        user, project = user_by_name(self.store.snapshot, name), project_by_name(self.store.snapshot, name)
        assert user is not None
        assert project is not None
        return tokens.issue(user, project.id, ("password",))[0]

    def commit(self, decide: Any) -> int:
        def on_draft(draft: Any, fresh: Any) -> Any:
            return decide(Decision(draft=draft, caller=ADMIN, settings=CloudSettings(), fresh=fresh))

        return self.store.commit(on_draft, ADMIN).revision

    def put(self, *rows: Row) -> int:
        return self.commit(lambda d: [d.draft.put(row) for row in rows])

    def agent(self, method: str, host: str, path: str, value: Any, credential: str | None = None) -> Any:
        credential = host_credential(SECRET, host) if credential is None else credential
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        url = f"/netglass/v1/hosts/{host}{path}"
        return self.client.request(method, url, content=msgspec.json.encode(value), headers=headers)

    def register(self, host: str, registration: Registration) -> Any:
        return self.agent("PUT", host, "", registration)

    def report(self, host: str, value: Report) -> Any:
        return self.agent("POST", host, "/report", value)

    def ask(self, path: str, name: str = "admin") -> Any:
        return self.client.get("/netglass/v1" + path, headers={"X-Auth-Token": self.tokens[name]})

    def pause(self, host: str, body: Any, name: str = "admin") -> Any:
        headers = {"X-Auth-Token": self.tokens[name]}
        return self.client.patch(f"/netglass/v1/hosts/{host}", json=body, headers=headers)

    def invite(self, host: str, server: str) -> int:
        headers = {"X-Auth-Token": self.tokens["admin"]}
        answer = self.client.post(f"/netglass/v1/hosts/{host}/token", json={"servers": [server]}, headers=headers)
        return int(answer.status_code)

    def port(self) -> Port:
        found = self.store.snapshot.get(Port, "p1")
        assert found is not None
        return found


@pytest.fixture
def cloud(database_url: str) -> Iterator[Cloud]:
    store = Store.open(database_url)
    yield Cloud(store)
    store.close()


def test_host_registers_and_gets_its_row(cloud: Cloud) -> None:
    answer = cloud.register("compute1", HYPERVISOR)

    assert answer.status_code == 200
    row = cloud.store.snapshot.get(Host, "compute1")
    assert row is not None
    assert (row.roles, row.vcpus, row.settings) == (("hypervisor",), 4, HYPERVISOR.settings)
    assert msgspec.json.decode(answer.content, type=Host) == row
    assert "req-" in answer.headers["x-openstack-request-id"]


def test_restart_of_an_agent_changes_nothing(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    revision = cloud.store.snapshot.revision

    assert cloud.register("compute1", HYPERVISOR).status_code == 200

    assert cloud.store.snapshot.revision == revision


def test_host_that_an_operator_disabled_stays_so_when_its_agent_restarts(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    row = cloud.store.snapshot.get(Host, "compute1")
    assert row is not None
    cloud.put(msgspec.structs.replace(row, enabled=False))

    cloud.register("compute1", msgspec.structs.replace(HYPERVISOR, vcpus=8))

    row = cloud.store.snapshot.get(Host, "compute1")
    assert row is not None
    assert (row.enabled, row.vcpus) == (False, 8)


def test_first_network_host_serves_dhcp_of_networks_that_were_there_before(cloud: Cloud) -> None:
    cloud.put(BLUE, SUBNET)
    cloud.register("compute1", HYPERVISOR)
    assert cloud.store.snapshot.rows("dhcp_ports_by_network", "blue") == []

    cloud.register("control", NETWORK_HOST)

    (server,) = cloud.store.snapshot.rows("dhcp_ports_by_network", "blue")
    assert server.host_id == "control"


def test_port_turns_active_once_hypervisor_and_dhcp_host_have_realised_it(cloud: Cloud) -> None:
    cloud.put(BLUE, SUBNET, guest_port())
    cloud.register("compute1", HYPERVISOR)
    cloud.register("control", NETWORK_HOST)

    number = cloud.port().revision_number
    assert cloud.report("compute1", report(ports_realised=("p1",))).status_code == 204
    assert cloud.port().revision_number == number, "nothing that a reader of the port sees has changed"
    assert (cloud.port().status, cloud.port().realised_on) == ("DOWN", ("compute1",))
    cloud.report("control", report(ports_realised=("p1",)))
    assert (cloud.port().status, cloud.port().realised_on) == ("ACTIVE", ("compute1", "control"))
    cloud.report("compute1", report(ports_lost=("p1",)))
    assert (cloud.port().status, cloud.port().realised_on) == ("DOWN", ("control",))


def test_report_on_ports_of_other_hosts_counts_for_nothing(cloud: Cloud) -> None:
    cloud.put(BLUE, SUBNET, guest_port())
    cloud.register("compute1", HYPERVISOR)
    cloud.register("compute2", HYPERVISOR)
    cloud.report("compute1", report(ports_realised=("p1",)))
    revision = cloud.store.snapshot.revision
    before = cloud.port()

    answer = cloud.report("compute2", report(ports_realised=("p1", "never-was"), ports_lost=("p1",)))

    assert answer.status_code == 204
    assert cloud.port() == before
    assert cloud.store.snapshot.revision == revision


def test_heartbeat_takes_no_revision(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    revision = cloud.store.snapshot.revision

    for at in range(5):
        cloud.report("compute1", report(at=at))

    assert cloud.store.snapshot.revision == revision
    heard = cloud.services.reports.get("compute1")
    assert heard is not None
    assert heard.report is not None
    assert heard.report.realised_revision == 4


def test_report_before_registration_is_refused_with_what_to_do(cloud: Cloud) -> None:
    answer = cloud.report("compute1", report())

    assert answer.status_code == 409
    assert "register, then report" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("credential", "status"),
    [
        ("", 401),
        ("nonsense", 403),
        (host_credential(SECRET, "compute2"), 403),
        (host_credential("other", "compute1"), 403),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "value"),
    [
        ("PUT", "", HYPERVISOR),
        ("POST", "/report", report()),
        ("POST", "/answers/1", {"ok": True}),
        ("GET", "/feed", None),
    ],
)
def test_agent_without_its_hosts_credential_gets_nowhere(
    cloud: Cloud, method: str, path: str, value: Any, credential: str, status: int
) -> None:
    revision = cloud.store.snapshot.revision

    answer = cloud.agent(method, "compute1", path, value, credential)

    assert answer.status_code == status
    assert cloud.store.snapshot.revision == revision
    assert cloud.services.reports.all() == []


def test_server_without_an_agent_secret_lets_no_agent_in(cloud: Cloud) -> None:
    object.__setattr__(cloud.services, "agent_secret", "")

    assert cloud.agent("PUT", "compute1", "", HYPERVISOR, host_credential("x", "compute1")).status_code == 403


@pytest.mark.parametrize("name", ["-x", "a b", "x" * 64, "a%0Ab", "a'b"])
def test_names_that_could_reach_a_file_or_a_command_are_refused(cloud: Cloud, name: str) -> None:
    assert cloud.agent("PUT", name, "", HYPERVISOR).status_code in (400, 404)
    assert cloud.store.snapshot.count(Host) == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"roles": 1}', b'{"roles": ["king"]}', b"\xff"])
def test_malformed_registration_changes_nothing(cloud: Cloud, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {host_credential(SECRET, 'compute1')}"}

    answer = cloud.client.put("/netglass/v1/hosts/compute1", content=body, headers=headers)

    assert answer.status_code == 400
    assert cloud.store.snapshot.count(Host) == 0


def test_answer_to_a_question_that_nobody_asked_is_refused(cloud: Cloud) -> None:
    assert cloud.agent("POST", "compute1", "/answers/1", {"ok": True, "value": 1}).status_code == 404


def test_since_must_be_a_revision(cloud: Cloud) -> None:
    assert cloud.agent("GET", "compute1", "/feed?since=yesterday", None).status_code == 400


@pytest.mark.parametrize("path", ["/hosts", "/hosts/compute1/plan", "/hosts/compute1/diff", "/revision", "/wait"])
def test_operations_are_for_administrators(cloud: Cloud, path: str) -> None:
    assert cloud.ask(path, "demo").status_code == 403
    assert cloud.client.get("/netglass/v1" + path).status_code == 401


def test_operator_sees_hosts_with_what_they_report(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    failing = Failing(kind="links", key="/tap1", intent=("port:p1",), evidence="EBUSY")
    cloud.report("compute1", report(at=3, oldest_failing_revision=2, failing=(failing,), failing_count=1))

    (host,) = cloud.ask("/hosts").json()["hosts"]

    assert host["name"] == "compute1"
    assert host["alive"]
    assert host["connected"] is cloud.store.shared  # who reports may be connected to another server
    assert (host["realised_revision"], host["oldest_failing_revision"], host["failing_count"]) == (3, 2, 1)
    assert host["failing"][0]["evidence"] == "EBUSY"


def test_plan_is_the_hosts_desired_state(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)

    answer = cloud.ask("/hosts/compute1/plan").json()

    assert answer["revision"] == cloud.store.snapshot.revision
    assert answer["plan"]["host"] == "compute1"
    assert {bridge["name"] for bridge in answer["plan"]["bridges"]} == {"br-int", "br-eth2"}


@pytest.mark.parametrize("path", ["/hosts/compute9/plan", "/hosts/compute9/diff", "/wait?host=compute9"])
def test_unknown_host_is_named_with_those_that_there_are(cloud: Cloud, path: str) -> None:
    cloud.register("compute1", HYPERVISOR)

    answer = cloud.ask(path)

    assert answer.status_code == 404
    assert "'compute9'; registered are: compute1" in answer.json()["error"]["message"]


def test_an_answer_may_be_longer_than_what_clients_send_and_not_longer_than_it_may(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)

    for size, status in ((2 << 20, 404), (9 << 20, 413)):  # 404: nobody waits for it
        assert cloud.agent("POST", "compute1", "/answers/1", {"ok": True, "value": "x" * size}).status_code == status
    assert cloud.agent("POST", "compute1", "/report", {"x": "x" * (2 << 20)}).status_code == 413


def test_diff_of_a_host_that_is_away_says_so(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)

    answer = cloud.ask("/hosts/compute1/diff")

    assert answer.status_code == 503
    assert "compute1 is not connected" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", ["revision=x", "revision=-1", "timeout=x", "timeout=-1", "timeout=1e9", "timeout=nan"]
)
def test_wait_refuses_what_is_no_revision_or_time(cloud: Cloud, query: str) -> None:
    assert cloud.ask(f"/wait?{query}").status_code == 400


def test_wait_that_ends_too_early_tells_who_is_behind_and_why(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    failing = Failing(kind="links", key="/tap1", intent=("port:p1",), evidence="EBUSY")
    cloud.report("compute1", report(at=0, failing=(failing,), failing_count=1))

    answer = cloud.ask("/wait?host=compute1&timeout=0.01")

    assert answer.status_code == 503
    assert "compute1 (at 0, heard at" in answer.json()["error"]["message"]
    assert "links /tap1: EBUSY" in answer.json()["error"]["message"]


def test_wait_says_who_is_paused(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    cloud.report("compute1", report(at=0))
    cloud.pause("compute1", {"paused": True})
    assert "compute1 (paused, at 0, heard at" in cloud.ask("/wait?timeout=0.01").json()["error"]["message"]


@pytest.mark.parametrize(("url", "status"), [("https://0.0.0.0:9696", 409), ("https://[::]", 409), ("https://c", 201)])
def test_a_token_names_servers_that_a_host_can_reach(cloud: Cloud, url: str, status: int) -> None:
    assert cloud.invite("daisy", url) == status


def test_secrets_stay_out_of_what_a_server_prints_of_itself(cloud: Cloud) -> None:
    assert SECRET not in repr(cloud.services)


def test_host_that_an_operator_paused_stays_so_when_its_agent_restarts(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)

    answer = cloud.pause("compute1", {"paused": True})
    cloud.register("compute1", msgspec.structs.replace(HYPERVISOR, vcpus=8))

    assert answer.status_code == 200
    assert answer.json()["host"]["paused"] is True
    assert [host["paused"] for host in cloud.ask("/hosts").json()["hosts"]] == [True]
    assert cloud.pause("compute1", {"paused": False}).json()["host"]["paused"] is False


def test_only_administrators_pause_hosts_and_only_those_that_are(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)

    assert cloud.pause("compute1", {"paused": True}, name="demo").status_code == 403
    assert cloud.pause("nosuch", {"paused": True}).status_code == 404
    for body in ({}, {"paused": "yes"}, {"paused": True, "more": 1}, []):
        assert cloud.pause("compute1", body).status_code == 400
    assert [host["paused"] for host in cloud.ask("/hosts").json()["hosts"]] == [False]


@pytest.mark.parametrize(("protocol", "said"), [("1.0", "older"), ("1.99", "newer"), (PROTOCOL, "")])
def test_an_agent_of_another_minor_version_is_taken_in_and_told_of(cloud: Cloud, protocol: str, said: str) -> None:
    answer = cloud.register("compute1", msgspec.structs.replace(HYPERVISOR, protocol=protocol))
    assert (answer.status_code, answer.headers[PROTOCOL_HEADER]) == (200, PROTOCOL)
    cloud.report("compute1", report(at=3, unread=("port p1: unknown warp",) if said else ()))

    listed = cloud.ask("/hosts").json()
    (host,) = listed["hosts"]
    assert (listed["protocol"], host["protocol"], host["protocol_skew"]) == (PROTOCOL, protocol, said)
    assert (host["version"], bool(host["unread"])) == ("0.1.0", bool(said))
    refused = cloud.ask("/wait?revision=99&timeout=0").json()["error"]["message"]
    assert ("does not understand port p1: unknown warp" in refused) is bool(said)


def test_an_agent_of_another_major_version_is_refused_and_nothing_changes(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    before = cloud.store.snapshot.revision
    answer = cloud.register("compute1", msgspec.structs.replace(HYPERVISOR, protocol="2.0", vcpus=99))
    assert answer.status_code == 409
    assert "speaks protocol 2.0" in answer.json()["error"]["message"]
    assert cloud.store.snapshot.revision == before


def test_what_a_host_healed_is_told_to_administrators_and_counted(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    one = Healed(
        at="2026-11-21T12:00:00.000001Z", kind="flows", key="k", title="t", owner="switching",
        intent=("host:compute1",), was="missing", seconds=0.25,
    )  # fmt: skip

    assert cloud.agent("POST", "compute1", "/healed", [one]).status_code == 204
    assert cloud.agent("POST", "compute1", "/healed", [one], host_credential(SECRET, "compute2")).status_code == 403

    assert cloud.ask("/healed", "demo").status_code == 403
    assert cloud.ask("/healed").json()["healed"] == [{"host": "compute1"} | json.loads(msgspec.json.encode(one))]
    assert cloud.ask("/healed?since=2026-11-21T12:00:01Z").json()["healed"] == []
    assert cloud.ask("/healed?host=nosuch").status_code == 404
    metrics = cloud.client.get("/netglass/v1/metrics", headers={"Authorization": f"Bearer {METRICS}"}).text
    assert 'netglass_healed_total{host="compute1",kind="flows"} 1.0' in metrics.splitlines()
    for query in ("limit=0", "limit=x", "since=yesterday"):
        assert cloud.ask(f"/healed?{query}").status_code == 400


def test_monitoring_reads_metrics_with_its_token_and_nobody_without(cloud: Cloud) -> None:
    cloud.register("compute1", HYPERVISOR)
    cloud.report("compute1", report(at=3, unread=("port p1: unknown warp",)))

    def read(token: str) -> Any:
        return cloud.client.get("/netglass/v1/metrics", headers={"Authorization": f"Bearer {token}"})

    assert read("wrong").status_code == 401
    assert cloud.client.get("/netglass/v1/metrics").status_code == 401
    lines = read(METRICS).text.splitlines()
    assert 'netglass_host_alive{host="compute1"} 1.0' in lines
    assert 'netglass_host_realised_revision{host="compute1"} 3.0' in lines
    assert 'netglass_host_unread{host="compute1"} 1.0' in lines
    assert f"netglass_revision {float(cloud.store.snapshot.revision)}" in lines


def test_a_look_at_who_is_away_that_fails_is_not_the_last_one(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.register("compute1", HYPERVISOR)
    services = dataclasses.replace(cloud.services, settings=CloudSettings(agent_down_s=0))
    services.reports.register("compute1", HYPERVISOR, "at no time")

    async def scenario() -> None:
        watching = asyncio.create_task(watch_presence(services, cloud.feed))
        async with asyncio.timeout(20):
            while "cannot be noted" not in caplog.text:
                await asyncio.sleep(0.01)
            services.reports.register("compute1", HYPERVISOR, "2020-01-01T00:00:00Z")
            while not any(host.away for host in cloud.store.snapshot.all(Host)):
                await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(scenario())
