"""VMs looking for metadata: from the guest's port 80 to the controller, by proxy, UNIX socket and agent."""

from __future__ import annotations

from netglass.demo import cast
from netglass.demo.claims import Began, Said, Scene, Shown, equal, true
from netglass.demo.packet_flows import deployment
from netglass.demo.packet_flows.deployment import CONTROLLER, MANAGEMENT_ADDRESS, NETWORK_NODE
from netglass.demo.packet_flows.inter_vm_traffic import Pair
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import metadata, routing
from netglass.demo.stage import Stage

_ADDRESS = "169.254.169.254"
_PROXY_PORT = 9697
_SOCKET = "/var/lib/neutron/metadata_proxy"
_PATH = "openstack/latest/meta_data.json"


def play(stage: Stage, cloud: Cloud, guests: Pair) -> Scene[None]:
    """Lets the first guest ask, and follows its request."""
    guest = guests[0]
    yield Began(title="VMs looking for metadata")
    route = stage.inside(guest.name, "ip", "route", "get", _ADDRESS)
    yield route.marked(f"via {cast.GATEWAY}")
    text = "the request leaves by the default route, for an address inside qrouter"
    yield equal(text, cast.GATEWAY, routing.next_hop(route.output))
    yield from _proxy(stage, cloud)
    yield Said(
        text=f"Beyond the socket is no network: a metadata agent on the network node asks the controller who that is,"
        f" over {deployment.MANAGEMENT_NIC}, and hands on what it says. tcpdump watches there while {guest.name} asks."
    )
    yield from _asked(stage, guest)
    yield from _redirected(stage, cloud)


def _proxy(stage: Stage, cloud: Cloud) -> Scene[None]:
    yield Said(
        text=f"In qrouter, port 80 of that address becomes port {_PROXY_PORT} of the router itself. There listens a"
        " proxy that is this router's own."
    )
    listening = stage.on(NETWORK_NODE, *cloud.in_router("ss", "-ltnp"))
    pid = metadata.listeners(listening.output).get(_PROXY_PORT)
    yield listening.cut(f":{_PROXY_PORT}").marked(f":{_PROXY_PORT}", "haproxy", f"pid={pid}")
    running = stage.on(NETWORK_NODE, "ps", "-ww", "-o", "pid,args", "-C", "haproxy")
    where = f"/var/lib/neutron/ns-metadata-proxy/{cloud.router_id}.conf"
    yield running.marked(str(pid), where)
    line = metadata.processes(running.output).get(pid or 0, "")
    yield true(f"port {_PROXY_PORT} of qrouter is the router's own haproxy", where in line, where, running.output)
    configured = stage.on(NETWORK_NODE, "cat", where)
    yield configured.cut("set-header", "server agent").marked("X-Forwarded-For", "X-Neutron-Router-ID", _SOCKET)
    wanted = {"X-Forwarded-For": "%[src]", "X-Neutron-Router-ID": cloud.router_id}
    text = "it says which guest asked, and by which router"
    yield equal(text, wanted, metadata.added_headers(configured.output))
    yield equal("and hands on to a UNIX socket", _SOCKET, metadata.backend(configured.output))
    listed = stage.on(NETWORK_NODE, "ls", "-l", _SOCKET)
    yield listed.marked(_SOCKET)
    yield true("which is there", metadata.is_socket(listed.output), "s…", listed.output)
    agent = stage.on(NETWORK_NODE, "pgrep", "-af", "netglass.metadata")
    yield agent.marked("netglass.metadata")
    yield true("behind it is the metadata agent", bool(agent.output.strip()), "its process", agent.output)


def _asked(stage: Stage, guest: cast.Guest) -> Scene[None]:
    source = MANAGEMENT_ADDRESS[NETWORK_NODE]
    words = (
        "tcpdump",
        "-n",
        "-l",
        "-A",
        "-i",
        deployment.MANAGEMENT_NIC,
        "src",
        "host",
        source,
        "and",
        "dst",
        "port",
        "9696",
    )
    with stage.watch(CONTROLLER, *words, ready="listening on") as watch:
        curl = f"curl -s http://{_ADDRESS}/{_PATH} | tr , '\\n'"  # a line for each part
        told = stage.inside(guest.name, "sh", "-c", curl)
        seen = watch.result(lambda text: "X-Forwarded-For" in metadata.request(text)[1])
    yield from _request(seen, guest)
    yield told.cut('"uuid"', '"name"', '"hostname"', '"project_id"').marked(guest.id)
    said = metadata.document(told.output)
    yield equal("the answer is about this guest", (guest.id, guest.name), (said.get("uuid"), said.get("name")))
    shown = stage.inside(guest.name, "curl", "-s", f"http://{_ADDRESS}/latest/meta-data/instance-id")
    wanted = f"i-{guest.id[:8]}"
    yield shown.marked(wanted)
    yield equal("as the other path says too, that of EC2", wanted, shown.output.strip())


def _request(seen: Shown, guest: cast.Guest) -> Scene[None]:
    path, headers = metadata.request(seen.output)
    names = ("X-Instance-ID", "X-Tenant-ID", "X-Forwarded-For")
    yield seen.cut("GET /metadata", *names).marked(*names, guest.id, guest.address)
    yield equal("the controller is asked for what the guest asked for", f"/metadata/{_PATH}", path)
    wanted = (guest.id, guest.address)
    found = (headers.get("X-Instance-ID"), headers.get("X-Forwarded-For"))
    yield equal("on behalf of the guest with that address", wanted, found)
    signature = headers.get("X-Instance-ID-Signature", "")
    yield true("and the agent signs for it", len(signature) == 64, "an HMAC-SHA256", signature)


def _redirected(stage: Stage, cloud: Cloud) -> Scene[None]:
    yield Said(text="On its way there it met a rule, which has counted:")
    words = ("iptables", "-t", "nat", "-v", "-S", "neutron-l3-agent-PREROUTING")
    listed = stage.on(NETWORK_NODE, *cloud.in_router(*words))
    yield listed.cut("REDIRECT").marked(_ADDRESS, "--dport 80", f"--to-ports {_PROXY_PORT}")
    wanted = {"d": f"{_ADDRESS}/32", "dport": "80", "j": "REDIRECT", "to_ports": str(_PROXY_PORT)}
    rule = next((rule for rule in routing.rules(listed.output) if rule.has(**wanted)), None)
    text = f"in qrouter, port 80 became {_PROXY_PORT} on the way"
    yield true(text, rule is not None and rule.packets > 0, "the rule, and packets that it met", listed.output)
