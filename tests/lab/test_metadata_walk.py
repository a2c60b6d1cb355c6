"""Stories of guests that look for their metadata: by qdhcp, haproxy and metadata agent to the server, and back."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloud import Cloud, Guest, until
from labs import TestLab
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_first_guest import netglass_diff
from test_isolation import neighbour  # noqa: F401 - fixture

from netglass.lab.places import LabPlace

pytestmark = pytest.mark.lab

META_DATA = "/openstack/latest/meta_data.json"
HEALED_WITHIN_S = 2.0

# Sends each text of the JSON list that is its argument as it is, on a connection of its own; prints the list of all
# that came back on each until the other end closed.
_RAW = """
import json, socket, sys
answers = []
for request in json.loads(sys.argv[1]):
    with socket.create_connection(("169.254.169.254", 80), 5) as peer:
        peer.settimeout(8)
        peer.sendall(request.encode("latin-1"))
        answers.append(b"".join(iter(lambda: peer.recv(65536), b"")).decode("latin-1"))
print(json.dumps(answers))
"""


def fetch(lab: TestLab, guest: Guest, path: str = META_DATA, *words: str) -> str:
    """Gives what is at a path, as the guest sees it, and fails when it is not there."""
    return lab.inside(guest.id, "curl", "-sSf", "-m", "10", *words, f"http://169.254.169.254{path}")


def over_ipv6(lab: TestLab, guest: Guest, path: str = META_DATA) -> str:
    """Gives what is at a path of the link-local address, once the guest's own has been found to be nobody else's."""
    argv = ("curl", "-sfg", "-m", "10", f"http://[fe80::a9fe:a9fe%25eth0]{path}")
    return until(lambda: lab.inside(guest.id, *argv, check=False), 5, "metadata over IPv6")


def status(lab: TestLab, guest: Guest, path: str = META_DATA) -> tuple[str, float]:
    """Gives the HTTP status of a request, and how many seconds it took; 000 for no answer."""
    said = lab.inside(
        guest.id,
        *("curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code} %{time_total}"),
        f"http://169.254.169.254{path}",
        check=False,
    )
    code, seconds = said.split()
    return code, float(seconds)


def raw(lab: TestLab, guest: Guest, requests: list[str]) -> list[str]:
    """Sends requests as they are; gives the whole answer to each."""
    answers: list[str] = json.loads(lab.inside(guest.id, "python3", "-c", _RAW, json.dumps(requests)))
    return answers


def pid_of(lab: TestLab, host: str, words: str) -> int:
    """Gives the process on a host whose command line holds `words`; 0 for none."""
    for line in lab.on(host, "ps", "-eo", "pid=,args=").splitlines():
        pid, argv = line.split(maxsplit=1)
        if words in argv and "ps -eo" not in argv:
            return int(pid)
    return 0


def test_a_guest_gets_its_own_metadata_and_its_host_name_from_it(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    one = cloud.guest("One Guest", network_id, "compute1")
    two = cloud.guest("two", network_id, "compute2")

    for guest, hostname in ((one, "one-guest"), (two, "two")):
        console = cloud.api.post(f"/compute/v2.1/servers/{guest.id}/action", {"os-getConsoleOutput": {}})
        until(lambda g=guest: "metadata" in said(cloud, g), 5, "the guest speaks of its metadata")  # type: ignore[misc]
        console = said(cloud, guest)
        assert f" metadata {guest.id} {hostname} over eth0" in console, console
        document = json.loads(fetch(lab, guest))
        assert (document["uuid"], document["name"]) == (guest.id, guest.name)
        assert document["project_id"] == cloud.api.project_id
        assert document["hostname"].split(".")[0] == lab.inside(guest.id, "hostname").strip() == hostname
        assert fetch(lab, guest, "/latest/meta-data/local-ipv4") == guest.address
        (link,) = json.loads(fetch(lab, guest, "/openstack/latest/network_data.json"))["links"]
        assert (link["vif_id"], link["ethernet_mac_address"]) == (guest.port_id, guest.mac)
    assert json.loads(over_ipv6(lab, one))["uuid"] == one.id


def said(cloud: Cloud, guest: Guest) -> str:  # noqa: F811
    answer = cloud.api.post(f"/compute/v2.1/servers/{guest.id}/action", {"os-getConsoleOutput": {}})
    return str(answer["output"])


def test_a_guest_that_gets_no_ipv4_address_finds_its_metadata_over_ipv6(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("fd00:7::/64")
    server_id = cloud.start("six", network_id, "compute1")
    port = cloud.api.get(f"/v2.0/ports?device_id={server_id}")["ports"][0]
    guest = Guest(server_id, "six", "compute1", port["id"], port["mac_address"], port["fixed_ips"][0]["ip_address"])
    until(lambda: f" metadata {server_id} six over eth0" in said(cloud, guest), 20, "metadata without a lease")


def test_a_guest_reads_the_user_data_that_the_client_was_given(lab: TestLab, cloud: Cloud, tmp_path: Path) -> None:  # noqa: F811
    cloud.network("10.0.0.0/24", "walk")
    script = tmp_path / "user-data"
    script.write_bytes(b"#!/bin/sh\necho \xc3\xa4 \x01 done\n")
    flavor, image = (lab.openstack(kind, "list")[0]["ID"] for kind in ("flavor", "image"))
    words = ("server", "create", "asker", "--flavor", flavor, "--image", image, "--network", "walk")
    server = lab.openstack(*words, "--property", "role=web", "--user-data", str(script), "--wait")
    try:
        for path in ("/openstack/latest/user_data", "/latest/user-data", "/2009-04-04/user-data"):
            until(lambda: "lease" in lab.inside(server["id"], "cat", "/dev/console", check=False), 10, "a lease")
            url = f"http://169.254.169.254{path}"
            found = lab.inside(server["id"], "sh", "-c", f"curl -sSf -m 10 {url} | od -An -v -tx1")
            assert bytes.fromhex(found.replace("\n", "").replace(" ", "")) == script.read_bytes()
        document = json.loads(lab.inside(server["id"], "curl", "-sSf", f"http://169.254.169.254{META_DATA}"))
        assert document["meta"] == {"role": "web"}
    finally:
        lab.openstack("server", "delete", server["id"], "--wait", "--no-format")


def test_two_projects_with_equal_addresses_get_their_own(lab: TestLab, cloud: Cloud, neighbour: Cloud) -> None:  # noqa: F811
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), neighbour.network("10.0.0.0/24", "theirs")
    one = cloud.guest("one", ours, "compute1", "10.0.0.11")
    uno = neighbour.guest("uno", theirs, "compute1", "10.0.0.11")

    for guest, owner in ((one, cloud), (uno, neighbour)):
        document = json.loads(fetch(lab, guest))
        assert (document["uuid"], document["project_id"]) == (guest.id, owner.api.project_id)


@pytest.fixture
def attacker_and_victim(cloud: Cloud, neighbour: Cloud) -> tuple[Guest, Guest, dict[str, str]]:  # noqa: F811
    """A guest, another one in another project, and the headers with which the first would be taken for the second."""
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), neighbour.network("10.0.0.0/24", "theirs")
    attacker = cloud.guest("attacker", ours, "compute1", "10.0.0.11")
    victim = neighbour.guest("victim", theirs, "compute1", "10.0.0.12")
    headers = {
        "X-Instance-ID": victim.id,
        "X-Tenant-ID": neighbour.api.project_id,
        "X-Instance-ID-Signature": "0" * 64,
        "X-Forwarded-For": victim.address,
        "Forwarded": f"for={victim.address}",
        "X-Real-IP": victim.address,
        "X-Neutron-Network-ID": theirs,
        "X-Neutron-Router-ID": theirs,
        "X-Metadata-Provider": "x",
        "X-Metadata-Provider-Signature": "x",
    }
    return attacker, victim, headers


def forgeries(headers: dict[str, str]) -> Iterator[str]:
    """Gives the header lines of each way to forge."""
    for name, value in headers.items():
        yield f"{name}: {value}\r\n"
        yield f"{name}: {value}\r\n" * 2
        yield f"{name.swapcase()}: {value}\r\n{name.lower()}: {value}\r\n"
        yield f"{name}:\r\n {value}\r\n"
        yield f"X-Other: a\r\n {name}: {value}\r\n"
        yield f"{name} : {value}\r\n"
        yield f"{name.replace('-', '_')}: {value}\r\n"
        yield f"{name}: {value}, {value}\r\n"
        yield f"X-Other: a\n{name}: {value}\r\n"
        yield f"X-Other: a\r{name}: {value}\r\n"
    whole = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    yield whole
    yield whole + "Connection: x-forwarded-for, x-neutron-network-id\r\n"


def test_a_guest_that_forges_headers_gets_its_own_answer(
    lab: TestLab, attacker_and_victim: tuple[Guest, Guest, dict[str, str]]
) -> None:
    attacker, victim, headers = attacker_and_victim
    start = f"GET {META_DATA} HTTP/1.1\r\nHost: 169.254.169.254\r\n"
    end = "Connection: close\r\n\r\n"
    refused = 0
    ways = list(forgeries(headers))
    for lines, answer in zip(ways, raw(lab, attacker, [start + lines + end for lines in ways]), strict=True):
        assert victim.id not in answer, lines
        if answer.startswith("HTTP/1.1 400"):  # haproxy does not take what is not HTTP
            refused += 1
            continue
        assert answer.startswith("HTTP/1.1 200"), (lines, answer)
        assert uuid_in(answer) == attacker.id
    assert refused < 25, "most of it is HTTP, and is answered"


def uuid_in(answer: str) -> Any:
    return json.loads(answer.partition("\r\n\r\n")[2])["uuid"]


def test_nothing_can_be_smuggled_behind_a_body(
    lab: TestLab, attacker_and_victim: tuple[Guest, Guest, dict[str, str]]
) -> None:
    attacker, victim, headers = attacker_and_victim
    forged = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    hidden = f"GET {META_DATA} HTTP/1.1\r\nHost: a\r\n{forged}\r\n"
    start = f"GET {META_DATA} HTTP/1.1\r\nHost: a\r\n"
    chunked = f"{len(hidden):x}\r\n{hidden}\r\n0\r\n\r\n"
    ways = {
        "a body": f"{start}Content-Length: {len(hidden)}\r\nConnection: close\r\n\r\n{hidden}",
        "chunks": f"{start}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunked}",
        "trailers": f"{start}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n{forged}\r\n",
        "no chunk": f"{start}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n{hidden}",
        "both lengths": f"{start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunked}",
        "two lengths": f"{start}Content-Length: 0\r\nContent-Length: 4\r\nConnection: close\r\n\r\n{hidden}",
        "spelt otherwise": f"{start}Transfer-Encoding: xchunked\r\nConnection: close\r\n\r\n{chunked}",
        "a pipeline": f"{start}\r\n{hidden}{start}Connection: close\r\n\r\n",
    }
    for name, answer in zip(ways, raw(lab, attacker, list(ways.values())), strict=True):
        assert victim.id not in answer, name
        first = answer.split(" ", 2)[1]
        assert first in ("200", "400", "501"), (name, answer)
        if first == "200" and name != "a pipeline":
            assert uuid_in(answer) == attacker.id, name
        if name == "a pipeline":
            assert answer.count(attacker.id) == 3  # each on its own, and each its own


def test_a_dead_proxy_and_a_dead_agent_are_replaced_within_two_seconds(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    guest = cloud.guest("vm", network_id, "compute1")
    fetch(lab, guest)
    for words in (f"ns-metadata-proxy/{network_id}.conf", "netglass.metadata.main"):
        time.sleep(1.1)  # what dies within a second of its start is held back, so that it does not eat a core
        pid = until(lambda w=words: pid_of(lab, "control", w), 5, f"{words} runs")  # type: ignore[misc]
        lab.on("control", "kill", "-9", str(pid))
        until(lambda: status(lab, guest)[0] == "200", HEALED_WITHIN_S, f"metadata again after the death of {words}")
        assert pid_of(lab, "control", words) not in (0, pid)


def test_without_a_server_guests_are_told_so(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    guest = cloud.guest("vm", network_id, "compute1")
    fetch(lab, guest)
    pid = until(lambda: pid_of(lab, "control", "netglass server"), 5, "a server")
    agent = pid_of(lab, "control", "netglass.metadata.main")
    first = LabPlace(lab.name).pid("control")
    os.kill(first, signal.SIGSTOP)  # from outside, as a PID 1 takes no such signal from within: nobody starts it anew
    try:
        lab.on("control", "kill", "-9", str(pid))
        assert status(lab, guest)[0] == "503"  # after seconds, in which it might have come back
        code, seconds = status(lab, guest)
        assert (code, seconds < 1.0) == ("503", True)
        assert pid_of(lab, "control", "netglass.metadata.main") == agent
    finally:
        os.kill(first, signal.SIGCONT)
    until(lambda: status(lab, guest)[0] == "200", 10, "metadata with the server back")


def test_behind_a_router_metadata_comes_through_qrouter(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    red, blue = cloud.network("10.0.1.0/24", "red"), cloud.network("10.0.2.0/24", "blue")
    router = cloud.router(red, blue)
    one = cloud.guest("one", red, "compute1")
    two = cloud.guest("two", blue, "compute2")
    assert "169.254.169.254" not in lab.inside(one.id, "ip", "route")  # by its default route, as in the course
    assert pid_of(lab, "control", f"ns-metadata-proxy/{red}.conf") == 0

    for guest in (one, two):
        until(lambda g=guest: f" metadata {g.id} " in said(cloud, g), 5, "the guest took its metadata at start")  # type: ignore[misc]
        assert json.loads(fetch(lab, guest))["uuid"] == guest.id
        assert json.loads(over_ipv6(lab, guest))["uuid"] == guest.id
    gateway = lab.inside(one.id, "ip", "route", "show", "default").split()[2]
    direct = ("curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", f"http://{gateway}:9697{META_DATA}")
    assert lab.inside(one.id, *direct, check=False) == "000"

    floating = cloud.floating(two.port_id)["floating_ip_address"]
    assert fetch(lab, two, "/latest/meta-data/public-ipv4") == floating
    assert netglass_diff(lab, "control") == ""
    time.sleep(1.1)
    pid = pid_of(lab, "control", f"ns-metadata-proxy/{router}.conf")
    lab.on("control", "kill", "-9", str(pid))
    until(lambda: status(lab, one)[0] == "200", HEALED_WITHIN_S, "the router's proxy is back")


def test_a_guest_that_started_before_its_router_keeps_its_metadata(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.1.0/24")
    before = cloud.guest("before", network_id, "compute1")
    fetch(lab, before)
    until(lambda: seconds_old(cloud, before.port_id) > 1, 5, "the router's port is younger by the second")
    cloud.router(network_id)
    after = cloud.guest("after", network_id, "compute2")

    assert lab.operator("wait", "--timeout", "30").returncode == 0
    for guest, by_qdhcp in ((before, True), (after, False)):
        assert ("169.254.169.254" in lab.inside(guest.id, "ip", "route")) is by_qdhcp
        until(lambda g=guest: status(lab, g)[0] == "200", 5, "metadata")  # type: ignore[misc]
        assert json.loads(fetch(lab, guest))["uuid"] == guest.id
    cloud.api.delete(f"/compute/v2.1/servers/{before.id}")
    conf = f"ns-metadata-proxy/{network_id}.conf"
    until(lambda: not pid_of(lab, "control", conf), 10, "with the last of them the proxy goes")


def seconds_old(cloud: Cloud, port_id: str) -> float:  # noqa: F811
    """Gives the age of a port."""
    made = datetime.fromisoformat(cloud.api.get(f"/v2.0/ports/{port_id}")["port"]["created_at"])
    return (datetime.now(UTC) - made).total_seconds()


def test_two_projects_with_equal_addresses_behind_routers_get_their_own(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    neighbour: Cloud,  # noqa: F811
) -> None:
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), neighbour.network("10.0.0.0/24", "theirs")
    cloud.router(ours)
    neighbour.router(theirs)
    one = cloud.guest("one", ours, "compute1", "10.0.0.11")
    uno = neighbour.guest("uno", theirs, "compute1", "10.0.0.11")
    for guest in (one, uno):
        until(lambda g=guest: status(lab, g)[0] == "200", 5, "metadata by the router")  # type: ignore[misc]
        assert json.loads(fetch(lab, guest))["uuid"] == guest.id


def test_the_proxy_goes_with_its_network(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    cloud.guest("vm", network_id, "compute1")
    conf = f"/var/lib/neutron/ns-metadata-proxy/{network_id}.conf"
    assert pid_of(lab, "control", conf)
    cloud.clear()
    until(lambda: not pid_of(lab, "control", conf), 10, "its proxy has ended")
    until(lambda: lab.on("control", "ls", conf, check=False) == "", 10, "and its file is gone")


def test_what_is_not_an_instances_address_gets_nothing(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    guest = cloud.guest("vm", network_id, "compute1")
    pairs = {"allowed_address_pairs": [{"ip_address": "10.0.0.77"}]}  # else nothing of it would leave the guest
    assert cloud.api.call("PUT", f"/v2.0/ports/{guest.port_id}", {"port": pairs})[0] == 200
    assert lab.operator("wait").returncode == 0
    lab.inside(guest.id, "ip", "addr", "add", "10.0.0.77/24", "dev", "eth0")
    url = f"http://169.254.169.254{META_DATA}"
    asked = ("curl", "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", "--interface", "10.0.0.77", url)
    assert lab.inside(guest.id, *asked) == "404"
    for path in ("/../v2.0/networks", "/%2e%2e/v2.0/networks", "/openstack/latest/nothing", "//openstack//"):
        asked = ("curl", "-s", "-m", "10", "--path-as-is", "-w", "\n%{http_code}", f"http://169.254.169.254{path}")
        said = lab.inside(guest.id, *asked)
        assert said.endswith("200" if path == "//openstack//" else "404"), said
