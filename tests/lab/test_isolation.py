"""Stories of two projects that know nothing of each other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from cloud import Cloud, Guest, end_project, new_project
from labs import AT_ONCE, TestLab
from story_fixtures import admin, cloud  # noqa: F401 - fixtures

from support.api import Api

pytestmark = pytest.mark.lab


@pytest.fixture
def neighbour(lab: TestLab, admin: Api) -> Iterator[Cloud]:  # noqa: F811
    """The cloud of a second project."""
    url = lab.environment("admin")["OS_AUTH_URL"].split("/identity")[0]
    api = new_project(admin, url, "neighbour")
    made = Cloud(lab, api)
    yield made
    made.clear()
    end_project(admin, api, "neighbour")


class Capture:
    """Frames seen on a guest's tap, from when this was made until `macs` is asked."""

    def __init__(self, lab: TestLab, guest: Guest) -> None:
        words = ("tcpdump", *AT_ONCE, "-Z", "root", "-lnne", "-i", guest.tap)
        argv = [*lab.to_host(guest.host), *words]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        while "listening on" not in self._process.stderr.readline():
            assert self._process.poll() is None, "tcpdump ended"
        self._end = (lab, guest.host, " ".join(words))

    def text(self) -> str:
        lab, host, words = self._end
        for line in lab.on(host, "ps", "-eo", "pid=,args=").splitlines():
            if line.split(maxsplit=1)[1].strip() == words:
                lab.on(host, "kill", "-INT", line.split()[0])
        said, _ = self._process.communicate(timeout=20)
        return said


def test_two_projects_with_the_same_addresses_reach_their_own_and_nothing_crosses(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    neighbour: Cloud,
) -> None:
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), neighbour.network("10.0.0.0/24", "theirs")
    one = cloud.guest("one", ours, "compute1", "10.0.0.11")
    two = cloud.guest("two", ours, "compute2", "10.0.0.12")
    uno = neighbour.guest("uno", theirs, "compute1", "10.0.0.11")
    due = neighbour.guest("due", theirs, "compute2", "10.0.0.12")

    captures = {guest.name: Capture(lab, guest) for guest in (one, two, uno, due)}
    assert cloud.ping(one, "10.0.0.12", count=20, each_s=0.02).lost == 0
    assert neighbour.ping(uno, "10.0.0.12", count=20, each_s=0.02).lost == 0
    for asking in (one, uno):  # broadcasts, and frames to a MAC that no switch has learnt
        lab.inside(asking.id, "ping", "-b", "-c", "5", "-i", "0.02", "-W", "1", "10.0.0.255", check=False)
        lab.inside(asking.id, "ip", "neigh", "replace", "10.0.0.99", "lladdr", "fa:16:3e:99:99:99", "dev", "eth0")
        lab.inside(asking.id, "ping", "-c", "5", "-i", "0.02", "-W", "1", "10.0.0.99", check=False)

    frames = {name: capture.text() for name, capture in captures.items()}
    for mine, others in (((one, two), (uno, due)), ((uno, due), (one, two))):
        for guest in mine:
            assert all(friend.mac in frames[guest.name] for friend in mine), "the capture saw nothing"
            assert "fa:16:3e:99:99:99" in frames[mine[1].name], "the unknown frame did not flood its own network"
            assert not any(other.mac in frames[guest.name] for other in others), frames[guest.name]


def test_a_project_neither_sees_nor_can_use_anothers_network_unless_it_is_shared(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    neighbour: Cloud,
    admin: Api,  # noqa: F811
) -> None:
    ours = cloud.network("10.0.0.0/24", "ours")
    wish = {"port": {"network_id": ours}}

    assert not seen(neighbour, ours)
    assert neighbour.api.call("GET", f"/v2.0/networks/{ours}")[0] == 404
    assert neighbour.api.call("POST", "/v2.0/ports", wish)[0] == 404
    assert neighbour.api.call("DELETE", f"/v2.0/networks/{ours}")[0] == 404

    assert admin.call("PUT", f"/v2.0/networks/{ours}", {"network": {"shared": True}})[0] == 200
    assert seen(neighbour, ours)
    guest = neighbour.guest("guest", ours, "compute2")
    mine = cloud.guest("mine", ours, "compute1")
    assert neighbour.ping(guest, mine.address).lost == 0
    assert neighbour.api.call("DELETE", f"/v2.0/networks/{ours}")[0] == 403


def seen(project: Cloud, network_id: str) -> bool:
    """Says whether a network is in what a project lists."""
    return network_id in [network["id"] for network in project.api.get("/v2.0/networks")["networks"]]
