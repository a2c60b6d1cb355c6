"""Writes docs/reference out of the code: the command line, the Networking API, what a host must look like.

    make docs

A test holds the written files to what this program would write (tests/unit/docs/test_reference.py).
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import typer

from netglass.api.networking.assemble import OPERATIONS
from netglass.api.networking.declare import Attribute, Resource
from netglass.api.networking.extensions import EXTENSIONS
from netglass.api.networking.resources import RESOURCES
from netglass.cli import main as cli
from netglass.desired import state
from netglass.lab import topology
from netglass.trace import packet, result

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
_ALIGNED = re.compile(r"^(?!\|)\S+(?: \S+)*(?<![.:;])  +\S", re.MULTILINE)
WRITTEN = "<!-- Written by `make docs` out of the code; not by hand. -->\n"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Gives a Markdown table; bars in cells are escaped."""
    head = list(headings)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


# --- the command line -----------------------------------------------------------------------------------------------


def command_line() -> str:
    """Gives the page of all commands with their arguments and options."""
    cli._load([])
    root = typer.main.get_command(cli.app)
    parts = [WRITTEN, "# Command line\n", dedent(root.help or ""), "", *_commands(root, "netglass")]
    return "\n".join(parts)


def _commands(command: Any, path: str) -> Iterator[str]:
    for name, child in sorted(getattr(command, "commands", {}).items()):
        full = f"{path} {name}"
        if hasattr(child, "commands"):
            yield f"## `{full}`\n\n{_prose(child.help)}\n"
            yield from _commands(child, full)
            continue
        usage = " ".join(_usage(parameter) for parameter in child.params if parameter.name != "help")
        yield f"### `{full}`\n\n{_prose(child.help)}\n\n    {full} {usage}".rstrip() + "\n"
        rows = [_parameter(parameter) for parameter in child.params if parameter.name != "help"]
        if rows:
            yield table(("", "default", ""), rows)


def _prose(text: str | None) -> str:
    # Click's mark for a paragraph whose lines are to be kept as they are.
    paragraphs = dedent(text or "").replace("\f", "").strip().split("\n\n")
    kept = [_fenced(part.removeprefix("\b").strip("\n")) if part.startswith("\b") else part for part in paragraphs]
    return "\n\n".join(kept)


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        word = parameter.name.upper()
        return f"[{word}]" if not parameter.required else word
    return f"[{max(parameter.opts, key=len)}]"


def _parameter(parameter: Any) -> tuple[str, str, str]:
    names = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
    shown = ", ".join(f"`{name}`" for name in names)
    given = parameter.default
    default = "" if given in (None, False, "", []) or callable(given) else f"`{given}`"
    if parameter.required:
        default = "must be given"
    about = " ".join((getattr(parameter, "help", "") or "").split())
    return shown, default, about + (f" Or set {parameter.envvar}." if parameter.envvar else "")


# --- the Networking API ---------------------------------------------------------------------------------------------


def networking() -> str:
    """Gives the page of the API's resources with their attributes."""
    head = (
        "# Networking API\n\nAttributes of each resource under `/v2.0/`, out of their declarations in "
        "`src/netglass/api/networking/resources/`.\n\n*make* and *change*: may be given when the object is made or "
        "changed. *rule*: verbs that need a right of their own. *filter*, *sort*: lists may be filtered or sorted by "
        "it.\n\nA server gives the same as an OpenAPI document: `GET /v2.0/openapi.json`.\n"
    )
    return "\n".join([WRITTEN, head, *(_resource(resource) for resource in RESOURCES), _operations(), _extensions()])


def _operations() -> str:
    rows = [(f"`{o.method}`", f"`{o.path}`", o.about) for o in sorted(OPERATIONS, key=lambda o: (o.path, o.method))]
    return "## Operations\n\n" + table(("method", "path", ""), rows)


def _extensions() -> str:
    rows = [(f"`{e.alias}`", e.description) for e in EXTENSIONS]
    return "## Extensions\n\nAs `openstack extension list --network` shows them; each works.\n\n" + table(
        ("alias", ""), rows
    )


def _resource(resource: Resource) -> str:
    verbs = ", ".join(resource.verbs)
    extras = [
        word for word, on in (("made in bulk", resource.bulk and resource.create), ("tags", resource.taggable)) if on
    ]
    head = f"## {resource.collection}\n\n{resource.about}\n\n`{resource.root}`: {verbs}"
    rows = [_attribute(attribute) for attribute in resource.attributes]
    headings = ("attribute", "type", "make", "change", "default", "rule", "filter", "sort", "")
    return head + "".join(f"; {extra}" for extra in extras) + ".\n\n" + table(headings, rows)


def _attribute(attribute: Attribute) -> tuple[str, ...]:
    make = "must" if attribute.required else "may" if attribute.post else ""
    default = json.dumps(attribute.default, default=str) if attribute.post and not attribute.required else ""
    return (
        f"`{attribute.name}`" + ("" if attribute.visible else " (not shown)"),
        _type(attribute.kind.schema),
        make,
        "may" if attribute.put else "",
        f"`{default}`" if default else "",
        ", ".join(sorted(attribute.guards)),
        "yes" if attribute.filter else "",
        "yes" if attribute.sort else "",
        attribute.about,
    )


def _type(schema: Any) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(_type(part) for part in schema.get("anyOf", schema.get("oneOf")))
    kind = schema.get("type", "any")
    word = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if word == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "format" in schema:
        return f"{word} ({schema['format']})"
    if "minimum" in schema and "maximum" in schema:
        return f"{word} {schema['minimum']} to {schema['maximum']}"
    return word


# --- what a host must look like -------------------------------------------------------------------------------------


def desired() -> str:
    """Gives the page of the kinds of objects in a host's desired state."""
    parts = [WRITTEN, "# Desired state of a host\n", markdown(state.__doc__), ""]
    for kind in state.KINDS:
        parts.append(f"## {kind.kind}\n\n{markdown(kind.__doc__)}\n")
        parts.append(table(("field", "type", ""), _fields(kind)))
    return "\n".join(parts)


def markdown(docstring: str | None) -> str:
    """Gives a docstring as Markdown: paragraphs whose columns mean something are kept as they are."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(_fenced(part) if _ALIGNED.search(part) else part.replace("``", "`") for part in paragraphs)


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _fields(kind: type) -> list[tuple[str, str, str]]:
    # The comment behind a field is its documentation; only the source has it.
    source = dedent(inspect.getsource(kind))
    lines = source.splitlines()
    tree = ast.parse(source).body[0]
    found = []
    for node in getattr(tree, "body", []):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.target.id == "kind":
            continue
        said = lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset or 0 :].partition("#")[2].strip()
        default = f"`{ast.unparse(node.value)}` by default" if node.value is not None else ""
        found.append(
            (f"`{node.target.id}`", f"`{ast.unparse(node.annotation)}`", "; ".join(filter(None, (said, default))))
        )
    return found


# --- lab files ------------------------------------------------------------------------------------------------------


def lab_files() -> str:
    """Gives the page of what may stand in a lab's file."""
    parts = [WRITTEN, "# Lab files\n", _LAB_FILES]
    for title, part in _LAB_PARTS:
        parts.append(f"## {title}\n\n{markdown(part.__doc__)}\n")
        parts.append(table(("field", "type", ""), _fields(part)))
    built_in = (topology.BUILTIN / f"{topology.DEFAULT}.yaml").read_text()
    parts.append(f"## The default lab\n\n`netglass lab up` without a file builds this one:\n\n```yaml\n{built_in}```\n")
    return "\n".join(parts)


_LAB_FILES = "`netglass lab up FILE.yaml` builds the hosts that the file describes. Unknown fields are errors.\n"
_LAB_PARTS = (
    ("The file", topology.Topology),
    ("segments", topology.Segment),
    ("hosts", topology.HostSpec),
    ("cloud", topology.CloudSpec),
)

# --- traces ---------------------------------------------------------------------------------------------------------


def traces() -> str:
    """Gives the page of what ``netglass trace --json`` prints."""
    parts = [WRITTEN, "# What a trace says\n", _TRACES, f"{markdown(result.__doc__)}\n"]
    for title, kinds in _TRACE_PARTS:
        parts.append(f"## {title}\n")
        for kind in kinds:
            tag = kind.__struct_config__.tag
            head = f'`"step": "{tag}"`' if tag else kind.__name__
            parts.append(f"### {head}\n\n{markdown(kind.__doc__)}\n")
            rows = [(f"`{name}`", f"`{annotation}`", default) for name, annotation, default in _plain_fields(kind)]
            parts.append(table(("field", "type", ""), rows) if rows else "")
    codes = [(f"`{code}`", meaning) for code, meaning in sorted(result.CODES.items())]
    parts.append("## Why a packet ends\n\nThe `code` of a *drop*.\n\n" + table(("code", "the packet ends as"), codes))
    return "\n".join(parts)


def _plain_fields(kind: Any) -> Iterator[tuple[str, str, str]]:
    own = kind.__annotations__
    for field in msgspec.structs.fields(kind):
        if field.name in own:
            absent = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
            yield field.name, str(own[field.name]), "may be absent" if absent else ""


_TRACES = (
    "`netglass trace --json` prints the answer of `GET /netglass/v1/trace`: an object whose `trace` is a *Trace*. "
    "Fields that have their default are left out. Kinds, fields and codes only ever become more.\n"
)
_TRACE_PARTS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("The whole", (result.Trace, result.Reply, result.End, packet.Packet, result.Hop)),
    ("Steps", (result.Node, result.Changed, *typing.get_args(result.Step))),
)

PAGES: dict[str, Callable[[], str]] = {
    "cli.md": command_line,
    "networking.md": networking,
    "desired-state.md": desired,
    "lab-file.md": lab_files,
    "trace.md": traces,
}


def text_of(name: str) -> str:
    """Gives what a page of `PAGES` must hold."""
    return PAGES[name]().rstrip() + "\n"


def main() -> int:
    """Writes each page that differs."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        text = text_of(name)
        path = REFERENCE / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"docs/reference/{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
