"""The frozen values in which the Networking API is written down: attributes, resources, operations.

``resources/`` holds the declarations; everything else in this package reads them and adds no knowledge of its own
about any resource.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from netglass.api.networking.kinds import Kind
from netglass.model.caller import Caller
from netglass.model.snapshot import Snapshot

if TYPE_CHECKING:
    from netglass.api.networking.call import Call
    from netglass.control.decision import Decision
    from netglass.store.reports import Reports


@dataclass(frozen=True)
class View:
    """What an answer is rendered from.

    snapshot  intent, all of the answer at one revision
    reports   what hosts last said of themselves
    now       RFC 3339 in UTC
    caller    who is shown it: what is shared depends on it
    """

    snapshot: Snapshot
    reports: Reports
    now: str
    caller: Caller


Row = Any
"""A row of intent, or a frozen value that stands for one (an agent, a zone)."""

Index = Callable[[View, list[str]], Iterable[Row] | None]
Show = Callable[[Row, View], Any]
Passes = Callable[[Row], bool]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute of a resource.

    name      as on the wire, such as ``binding:host_id``
    kind      how its value is read, filtered and described
    about     one sentence for the reference
    field     Netglass's name: of the row's field, and of the value in what decisions are given; empty: `name`
    show      computes the value to show; None: the row's own field
    post      may be given when the object is made
    put       may be given when it is changed
    required  must be given when the object is made
    default   what it is when not given; giving just this at creation needs no further right
    guards    verbs (get, create, update) that need a rule of their own, named ``<verb>_<resource>:<name>``
    filter    lists may be filtered by it
    sort      lists may be sorted by it
    passes    reads a filter's texts into a test of its own, in place of equality
    visible   part of answers; else it is only written or filtered by
    """

    name: str
    kind: Kind
    about: str
    field: str = ""
    show: Show | None = None
    post: bool = False
    put: bool = False
    required: bool = False
    default: Any = None
    guards: frozenset[str] = frozenset()
    filter: bool = True
    sort: bool = False
    passes: Callable[[list[str]], Passes] | None = None
    visible: bool = True

    @property
    def key(self) -> str:
        """Gives Netglass's own name of it."""
        return self.field or self.name

    def value(self, row: Row, view: View) -> Any:
        """Gives the value to show."""
        return getattr(row, self.key) if self.show is None else self.show(row, view)


@dataclass(frozen=True)
class Parent:
    """What an object lies in, and must be seen by whoever makes one.

    field     Netglass's name of the attribute that names the parent
    resource  the parent's declaration
    children  index of the snapshot, from the parent's id to what lies in it, where the path leads through the parent:
              ``/v2.0/<parents>/<parent's id>/<collection>``; empty: the path is the collection's own
    """

    field: str
    resource: Resource
    children: str = ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something to be done to an object beyond changing its attributes: ``PUT <collection>/<id>/<name>``.

    name    as in the path; also the name of its policy rule
    about   one sentence for the reference
    body    JSON Schema of the request's body
    answer  JSON Schema of the answer
    read    the body to what `decide` takes; raises Invalid
    decide  the decision
    show    the answer, out of what was decided; the last argument shows a row of the resource itself
    """

    name: str
    about: str
    body: Mapping[str, Any]
    answer: Mapping[str, Any]
    read: Callable[[Mapping[str, Any]], Any]
    decide: Callable[[Decision, Any, Any], Any]
    show: Callable[[Any, View, Callable[[Row], dict[str, Any]]], Mapping[str, Any] | list[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)  # compared and hashed by identity, so that it can be a key
class Resource:
    """One resource: all that is known of it at the edge.

    name        singular, as the key of a body
    collection  plural, as the key of a body with several
    path        plural, as in the path; empty: `collection`
    about       one sentence for the reference
    attributes  in the order in which the reference shows them
    find        gives the row of an id, or None
    rows        gives the rows that a caller might see, out of an index where they may not see all
    indexes     attribute -> what gives all rows that a filter by it can let through, maybe more, out of the filter's
                texts, or None when it cannot tell: used in place of `rows`; the best first
    missing     Neutron's fault type for an unknown id
    create, update, delete   the decisions; None where the verb is not offered
    actions     what else can be done to one of them
    bulk        several may be made in one request
    together    raises what says that those of one request do not go together
    shown       one of them can be asked for by its id
    taggable    has tags, and ``/tags`` beneath it
    parent      what it lies in
    """

    name: str
    collection: str
    about: str
    attributes: tuple[Attribute, ...]
    find: Callable[[View, str], Row | None]
    rows: Callable[[View, Caller], Iterable[Row]]
    indexes: Mapping[str, Index] = field(default_factory=dict)
    missing: str
    create: Callable[[Decision, Mapping[str, Any]], Row] | None = None
    update: Callable[[Decision, Any, Mapping[str, Any]], Row] | None = None
    delete: Callable[[Decision, Any], None] | None = None
    actions: tuple[Action, ...] = ()
    bulk: bool = True
    together: Callable[[Sequence[Mapping[str, Any]]], None] | None = None
    shown: bool = True
    taggable: bool = True
    parent: Parent | None = None
    path: str = ""

    @cached_property
    def root(self) -> str:
        """Gives the path of the collection; where it leads through a parent, the parent's name stands for its id."""
        above = self.above
        through = f"{above.resource.collection}/{{{above.resource.name}}}/" if above is not None else ""
        return f"/v2.0/{through}{self.path or self.collection}"

    @cached_property
    def by_name(self) -> dict[str, Attribute]:
        """Gives the attributes by their name on the wire."""
        return {a.name: a for a in self.attributes}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Gives the names that a creation must have."""
        return tuple(a.name for a in self.attributes if a.required)

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """Gives the verbs as policy names them; everything can be listed and shown."""
        offered = {"create": self.create, "update": self.update, "delete": self.delete}
        return ("get", *(verb for verb, decision in offered.items() if decision is not None))

    @cached_property
    def above(self) -> Parent | None:
        """Gives the parent that the path leads through; None where it is the collection's own."""
        return self.parent if self.parent is not None and self.parent.children else None

    def rule(self, verb: str, attribute: str = "") -> str:
        """Gives the name of the policy rule for a verb, or for a verb on one attribute."""
        name = f"{self.above.resource.name}_{self.name}" if self.above is not None else self.name
        return f"{verb}_{name}:{attribute}" if attribute else f"{verb}_{name}"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one path: what routes and the OpenAPI document are made of.

    path        under the root, with ``{name}`` for what varies
    run         answers it
    about       one sentence for the reference
    status      of the answer when all went well
    answer      JSON Schema of the answer; None: it has no body
    body        JSON Schema of the request's body; None: it has none
    parameters  names of query parameters, with their schema
    anonymous   needs no token
    """

    method: str
    path: str
    run: Callable[[Call], Awaitable[Response]]
    about: str
    tag: str
    status: int = 200
    answer: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    anonymous: bool = False
