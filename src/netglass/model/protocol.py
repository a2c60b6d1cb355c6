"""What server and agent say to each other, as frozen values; both ends import these.

The agent calls out over HTTP; the server never calls an agent.

    PUT  /netglass/v1/hosts/{host}                    Registration -> 200: the host's row as JSON
    GET  /netglass/v1/hosts/{host}/feed?since=R&store=S -> FeedLine, newline-delimited JSON, without end
    POST /netglass/v1/hosts/{host}/report             Report -> 204
    POST /netglass/v1/hosts/{host}/answers/{question} Answer -> 204
    POST /netglass/v1/hosts/{host}/healed             [Healed] -> 204, also when they were told before
    GET  /netglass/v1/hosts/{host}/instance?address=A&network_id=N (or router_id=R) -> Instance, or 404

    POST /netglass/v1/hosts/{host}/credential         NewCredential -> 204
    POST /netglass/v1/hosts/{host}/join               Join -> 204; the token is what lets it in
    GET  /netglass/v1/ca                              the CA's certificate, PEM; nobody need be let in

Each request carries ``Authorization: Bearer <host credential>``, so that an agent can speak for its own host only: what
it joined with; or, as long as it never joined, HMAC-SHA256 of the host's name under the cloud's agent secret, in
hexadecimal.

A watcher first gets every relevant row (with ``since``: those changed later, drops included), then `Listed`, then
changes as they are committed, and `Beat` when nothing happened for `BEAT_S` seconds.  A commit's rows come together
and end in a `Bookmark` with its revision: what a host compiles is always a state that was committed.  Rows that a
broken stream left without their `Listed` or `Bookmark` are forgotten: resuming counts from the last of these.

Revisions count in one store.  Who resumes says in which one (``store``, from `Listed`); in another one, ``since`` means
nothing, and all is listed anew behind a `Relist`.

Both ends say which `PROTOCOL` they speak: the agent as it registers and reports, the server in `PROTOCOL_HEADER` of its
answers to registrations and feeds.  Another minor version is spoken with; another major version is not.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from netglass.model.resources import HostSettings

PROTOCOL = "1.1"
"""Version of what is said here, as major.minor.

A newer minor version may add requests, lines and kinds of rows, and to what there is fields and values.  A row says
nothing of a field that is at its default: what nobody uses, an older reader does not meet.  What it does meet and not
know, it must not act on (``agent.replica``); lines and fields outside of rows it may pass over.
"""

FIRST_PROTOCOL = "1.0"
"""What those speak who do not say."""

PROTOCOL_HEADER = "Netglass-Protocol"

BEAT_S = 2.0
"""Seconds of silence after which the server sends a Beat; an agent that hears nothing for four of them reconnects."""


def skew(theirs: str, ours: str = PROTOCOL) -> str:
    """Says how another protocol stands to ours: empty for the same, older or newer by its minor version, or foreign."""
    if theirs == ours:
        return ""
    numbers = [text.split(".") for text in (theirs, ours)]
    if any(len(parts) != 2 or not all(p.isascii() and p.isdigit() for p in parts) for parts in numbers):
        return "foreign"
    (major, minor), (our_major, our_minor) = ([int(part) for part in parts] for parts in numbers)
    if major != our_major:
        return "foreign"
    return "" if minor == our_minor else "older" if minor < our_minor else "newer"


def host_credential(secret: str, host: str) -> str:
    """Gives the credential with which an agent speaks for `host`; `secret` is the cloud's agent secret, not empty."""
    if not secret:
        raise ValueError("the agent secret is empty, and anybody could make credentials")
    return hmac.new(secret.encode(), host.encode(), "sha256").hexdigest()


def instance_signature(secret: str, instance_id: str) -> str:
    """Gives the signature by which the metadata API knows that a metadata agent found out who asks.

    secret  shared by the server and its metadata agents, not empty
    Source: nova-api's ``X-Instance-ID-Signature``, so that either end may be OpenStack's.
    """
    if not secret:
        raise ValueError("the metadata secret is empty, and anybody could sign")
    return hmac.new(secret.encode(), instance_id.encode(), "sha256").hexdigest()


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """Who has an address on a network, as a metadata agent is told."""

    id: str
    project_id: str


class Join(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host that comes with a token; what it made its credential stays with it."""

    token: str
    digest: str  # of its credential: SHA-256, hexadecimal


class NewCredential(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host that changes its credential."""

    digest: str  # SHA-256, hexadecimal


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What a join token says, as ``netglass host add`` prints it: base64url of this as JSON, after `INVITATION`.

    ca  SHA-256 of the CA's certificate (DER), hexadecimal; empty: no TLS
    """

    host: str
    server: tuple[str, ...]
    ca: str
    token: str


INVITATION = "netglass1."


def encode_invitation(invitation: Invitation) -> str:
    """Gives the text that is handed to a host."""
    return INVITATION + urlsafe_b64encode(msgspec.json.encode(invitation)).decode().rstrip("=")


def decode_invitation(text: str) -> Invitation:
    """Reads it; raises ValueError for anything else."""
    if not text.startswith(INVITATION):
        raise ValueError(f"a token begins with {INVITATION}")
    body = text.removeprefix(INVITATION)
    try:
        return msgspec.json.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=Invitation)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"the token is damaged: {error}") from error


class RowLine(msgspec.Struct, frozen=True, kw_only=True, tag="row", tag_field="type"):
    """A row as it is now, or its end."""

    kind: str
    id: str
    row: dict[str, Any] | None  # None: the host no longer needs to know it


class Listed(msgspec.Struct, frozen=True, kw_only=True, tag="listed", tag_field="type"):
    """All that was relevant at `revision` has been sent.

    store  id of the store that revisions count in; empty from a server that does not tell
    """

    revision: int
    store: str = ""


class Bookmark(msgspec.Struct, frozen=True, kw_only=True, tag="bookmark", tag_field="type"):
    """All rows up to and including `revision` have been sent."""

    revision: int


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag="beat", tag_field="type"):
    """The server is alive, and nothing relevant happened up to `revision`."""

    revision: int


class Relist(msgspec.Struct, frozen=True, kw_only=True, tag="relist", tag_field="type"):
    """The store is another one, or its log does not reach back to ``since``: forget all rows; a full list follows."""


class Question(msgspec.Struct, frozen=True, kw_only=True, tag="question", tag_field="type"):
    """Something the server wants to know now, such as a guest's console; answered at once and never kept."""

    id: str
    ask: str  # console, diff, signs
    arguments: dict[str, str] = {}


class Sign(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something of a host that answers for as long as its data plane works, as another host can see.

    The ``signs`` argument of a question is a JSON list of these; its answer is `SignsSeen`.
    """

    address: str  # where the host's tunnels begin; else the IPv4 address of a port that it has
    physical_network: str = ""  # that carries the port's network; empty for tunnels
    vlan: int = 0  # of the network there; 0: untagged
    mac: str = ""  # of the port


class SignsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the signs that were asked for answered, by their place in the question; of the rest, nobody can tell."""

    seen: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()


FeedLine = RowLine | Listed | Bookmark | Beat | Relist | Question


ANSWER_BYTES = 8 << 20
"""How long an Answer may be, as JSON; of a host on which everything differs, the difference takes megabytes."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's answer to a Question; at most `ANSWER_BYTES`."""

    ok: bool
    value: Any = None  # JSON
    error: str = ""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a host's agent says of it when it starts."""

    protocol: str = FIRST_PROTOCOL
    roles: tuple[str, ...]
    availability_zone: str = "nova"
    settings: HostSettings = HostSettings()
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    address: str = ""


class GuestReport(msgspec.Struct, frozen=True, kw_only=True):
    """A server's guest as its host sees it, sent while intent says otherwise."""

    server_id: str
    boot: int
    state: str  # running, stopped, error
    error: str = ""


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """An object that could not be applied."""

    kind: str
    key: str
    intent: tuple[str, ...]
    evidence: str


class Healed(msgspec.Struct, frozen=True, kw_only=True):
    """An object on a host that was damaged, and was put right.

    at       when it was found, RFC 3339 in UTC with microseconds; with host, kind and key it tells one from all others
    title    the object as people would write it
    intent   the rows that the object comes from
    was      what was wrong: missing, not wanted, or the facts that were otherwise
    seconds  from being found to being in place again
    """

    at: str
    kind: str
    key: str
    title: str
    owner: str
    intent: tuple[str, ...]
    was: str
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a host has become: sent at every change of it, and every 5 seconds as a heartbeat.

    realised_revision  every object of the state compiled from it is in place
    ports_realised     ports whose objects are all in place here, and whose row does not say so yet
    ports_lost         ports whose row says realised here, and which are not
    unread             rows that the agent's version does not understand: until there are none, it keeps its host by the
                       last intent that it understood, and `realised_revision` stays there; at most 20
    """

    version: str
    protocol: str = FIRST_PROTOCOL
    started_at: str
    realised_revision: int
    oldest_failing_revision: int | None = None
    ports_realised: tuple[str, ...] = ()
    ports_lost: tuple[str, ...] = ()
    guests: tuple[GuestReport, ...] = ()
    failing: tuple[Failing, ...] = ()  # at most 20
    failing_count: int = 0
    unread: tuple[str, ...] = ()
    configurations: dict[str, Any] = {}
