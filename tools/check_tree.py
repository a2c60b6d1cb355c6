"""Checks rules of the house that no linter knows; `make check` runs it.

- a module is at most 500 lines
- TODO names its issue
- a test file has a name of its own: pytest imports test files by their name alone
- no committed file names a package registry: a machine's own settings say where packages come from
- a secret is compared by compare_digest, which takes as long whatever is wrong (CVE-2014-3517); a line that compares no
  secret though its words look like one says so: ``# no secret: <why>``
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 500
PARTS = (".ci", "bench", "changelog.d", "docs", "examples", "requirements", "src", "tests", "tools")
BARE_TODO = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))")
# In pieces, so that this file does not find itself.
REGISTRY = re.compile(
    r"pypi\." + r"org|files\.python" + r"hosted|index" + r"-url|find" + r"-links|proxy\.golang" + r"\.org"
)
SECRET = re.compile(r"(?:^|_)(?:secret|signature|digest|credential|stamp|hmac|password|token|fingerprint)$")
NO_SECRET = "# no secret: "


def findings(path: Path, text: str) -> Iterator[str]:
    """Gives one line for each rule that the file breaks."""
    lines = text.splitlines()
    if path.suffix == ".py" and path.parts[0] == "src":
        for number in compared_secrets(text):
            if NO_SECRET not in lines[number - 1]:
                yield f"{path}:{number}: compares a secret by its value; wanted hmac.compare_digest"
    if path.suffix == ".py" and len(lines) > LONGEST:
        yield f"{path}: {len(lines)} lines; wanted at most {LONGEST}: split it by what it is about"
    for number, line in enumerate(lines, start=1):
        if path.suffix == ".py" and path.name != Path(__file__).name and BARE_TODO.search(line):
            yield f"{path}:{number}: a TODO without its issue; wanted TODO(#123)"
        if REGISTRY.search(line):
            yield f"{path}:{number}: names a package registry; leave that to the machine's settings"


def compared_secrets(text: str) -> Iterator[int]:
    """Gives the lines on which something named as a secret is compared by ``==``, ``!=`` or ``in``."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Compare):
            continue
        by_value = any(isinstance(one, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for one in node.ops)
        if by_value and any(SECRET.search(_last_word(one)) for one in (node.left, *node.comparators)):
            yield node.lineno


def _last_word(node: ast.expr) -> str:
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case ast.Call(func=function):
            return _last_word(function)
    return ""


def namesakes(paths: list[Path]) -> Iterator[str]:
    """Gives one line for each test file that is called as one before it."""
    seen: dict[str, Path] = {}
    for path in paths:
        first = seen.setdefault(path.name, path)
        if first != path:
            yield f"{path.relative_to(ROOT)}: {first.relative_to(ROOT)} is called so too; name it for what it tests"


def _texts() -> Iterator[Path]:
    # Not out of git: a tree may be somebody else's, or unpacked from an archive.
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file())
    for part in PARTS:
        yield from (p for p in sorted((ROOT / part).rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


def main() -> int:
    """Prints the findings; status 1 when there are any."""
    found = [line for path in _texts() for line in findings(path.relative_to(ROOT), path.read_text(errors="replace"))]
    found += namesakes(sorted((ROOT / "tests").rglob("test_*.py")))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
