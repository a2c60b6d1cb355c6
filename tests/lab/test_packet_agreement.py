"""What the model says of packets in random clouds is what becomes of real ones: verdict, and every device on the way.

A sample; ``make trace-check`` sends more (NETGLASS_TRACE_PACKETS).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from captures import Space, Watches
from cloud import until
from labs import TestLab, netglass
from real_packets import CLIENT, Wiring, asked, expected, same, sent
from story_fixtures import api_of

from agreement.random_clouds import Limits, Made, Maker
from agreement.random_flows import INTERNET, Cloud
from netglass.trace.model import Wish
from support.api import Api

pytestmark = pytest.mark.lab

WANTED = int(os.environ.get("NETGLASS_TRACE_PACKETS", "8"))
EACH = 10  # packets in one cloud, at most
SEED = int(os.environ.get("NETGLASS_TRACE_SEED", "7"))
LAB = Path(__file__).with_name(os.environ.get("NETGLASS_TRACE_LAB", "mixed.yaml"))
HYPERVISORS = ("bob", "daisy")


@pytest.fixture(scope="module")
def mixed() -> Iterator[TestLab]:
    name = f"tp{os.getpid()}"
    netglass("lab", "up", str(LAB), "--lab", name)
    try:
        yield TestLab(name)
    finally:
        netglass("lab", "down", "--lab", name)


def test_the_models_verdict_and_way_are_those_of_real_packets(mixed: TestLab) -> None:
    api = api_of(mixed, "admin")
    public = str(api.get("/v2.0/networks?router:external=True")["networks"][0]["id"])
    told, seed, compared, answered = [], SEED, 0, 0
    while compared < WANTED:
        rng = Random(seed)
        maker = Maker(rng, api.call, HYPERVISORS, Limits(("default",), public=public, odd=False, rules=True))
        try:
            made = maker.cloud(lambda _: None)
            ready(mixed, api, made)
            for report, good in _compared(mixed, api, rng, min(EACH, WANTED - compared)):
                compared += 1
                answered += good
                told += [f"seed {seed}, {report}"] if report else []
        finally:
            clear(api, maker.made)
        seed += 1
    print(f"\n{compared} packets from seed {SEED}, {answered} answered")
    assert told == [], "\n".join(told)
    assert 0 < answered < compared


def ready(lab: TestLab, api: Api, made: Made) -> None:
    """Waits until every guest that runs has its address, and hosts have realised what is wanted."""
    assert lab.operator("wait", "--timeout", "60").returncode == 0
    for server in made.servers:
        if server in made.stopped or api.get(f"/compute/v2.1/servers/{server}")["server"]["status"] != "ACTIVE":
            continue
        port = api.get(f"/v2.0/ports?device_id={server}")["ports"][0]
        for fixed in port["fixed_ips"] if port["admin_state_up"] and _is_up(api, port["network_id"]) else ():
            address = fixed["ip_address"]
            if ":" in address and not _is_advertised(api, port["network_id"]):
                continue
            until(lambda s=server, a=address: _answers_for(lab, s, a), 20, f"{address}")  # type: ignore[misc]


def _answers_for(lab: TestLab, server: str, address: str) -> bool:
    """Says whether a guest has an address, and is done with asking whether others have it: until then it is silent."""
    lines = lab.inside(server, "ip", "-o", "addr", "show", "dev", "eth0", check=False).splitlines()
    return any(f" {address}/" in line and " tentative" not in line for line in lines)


def _is_up(api: Api, network: str) -> bool:
    return bool(api.get(f"/v2.0/networks/{network}")["network"]["admin_state_up"])


def _is_advertised(api: Api, network: str) -> bool:
    """Says whether guests hear of IPv6 on a network: a router that is up must tell them, by a port that is."""
    ports = api.get(f"/v2.0/ports?network_id={network}&device_owner=network:router_interface")["ports"]
    return any(
        port["admin_state_up"] and api.get(f"/v2.0/routers/{port['device_id']}")["router"]["admin_state_up"]
        for port in ports
        if any(":" in fixed["ip_address"] for fixed in port["fixed_ips"])
    )


def clear(api: Api, made: Made) -> None:
    for method, path, body in reversed(made.undo):
        api.call(method, path, body)


def _compared(lab: TestLab, api: Api, rng: Random, most: int) -> Iterator[tuple[str, bool]]:
    """Sends packets; gives what differs from the model (empty: nothing), and whether it was answered."""
    cloud = Cloud.of(api.call)
    wiring = _wiring(lab)
    watches = Watches(lab, [(space, ()) for space in sorted(wiring.watched)])
    try:
        for wish in _wishes(lab, api, rng, cloud, most):
            trace = asked(api, wish)
            if isinstance(trace, str):
                assert "no addresses of the same family" in trace, trace
                continue
            model = expected(trace, wiring)
            real = sent(lab, watches, wish, trace, model)
            known = model.answered is not None
            right = model.answered is real.answered or not known
            differs = [] if right else [f"answered: {model.answered}, really {real.answered}"]
            for way, one, other in (("there", model.there, real.there), ("back", model.back, real.back)):
                if (known or way == "there") and not same(one, other, wiring):
                    differs.append(f"{way}: only in the model {sorted(one - other)}, only really {sorted(other - one)}")
            report = f"{wish}: {'; '.join(differs)}\n  {model.said}\n  {real.said}" if differs else ""
            yield report, real.answered
    finally:
        watches.end()


def _wishes(lab: TestLab, api: Api, rng: Random, cloud: Cloud, most: int) -> Iterator[Wish]:
    """Draws packets that somebody can send by hand."""
    guests = [port for port in cloud.ports if port["device_owner"].startswith("compute:") and _runs(lab, port)]
    targets = [f["ip_address"] for port in cloud.ports for f in port["fixed_ips"]]
    targets += [floating["floating_ip_address"] for floating in cloud.floating] * 3 + [INTERNET] * 3
    targets += [subnet["gateway_ip"] for subnet in cloud.subnets if subnet["gateway_ip"]]
    for _ in range(most if guests else 0):
        sender = rng.choice(guests)
        source, destination = str(sender["id"]), rng.choice(targets)
        if cloud.floating and rng.random() < 0.15:
            source = f"{CLIENT}@{cloud.public}"
            destination = str(rng.choice(cloud.floating)["floating_ip_address"])
        protocol = rng.choice(["icmp", "icmp", "icmp", "tcp"])
        size = rng.choice([0, 0, 0, 1400, 1442, 1443, 1450, 1451, 1458, 1459, 1500]) if protocol == "icmp" else 0
        yield Wish(source, destination, protocol, rng.choice([22, 80, 82]) if protocol == "tcp" else None, size)


def _runs(lab: TestLab, port: dict[str, Any]) -> bool:
    """Says whether a port's guest has its address."""
    shown = lab.inside(port["device_id"], "ip", "-o", "addr", "show", "dev", "eth0", check=False)
    return all(f" {fixed['ip_address']}/" in shown for fixed in port["fixed_ips"])


def _wiring(lab: TestLab) -> Wiring:
    drawn = yaml.safe_load(LAB.read_text())
    hosts = {name: spec for name, spec in drawn["hosts"].items() if spec.get("roles")}
    trunks = {name for name, segment in drawn["segments"].items() if segment.get("trunk")}
    hubs = {(host, nic) for host, spec in hosts.items() for nic, segment in spec["nics"].items() if segment in trunks}
    spaces = {Space(host) for host in hosts}
    for host in hosts:
        names = (line.split()[0] for line in lab.on(host, "ip", "netns", "list").splitlines() if line.strip())
        spaces |= {Space(host, name) for name in names if name.startswith(("qdhcp-", "qrouter-"))}
    return Wiring(
        {host: spec["tunnel_nic"] for host, spec in hosts.items()},
        frozenset(hubs),
        frozenset(host for host, spec in hosts.items() if spec.get("provider_link") == "patch"),
        frozenset(spaces),
    )
