"""Moves the fragments of changelog.d into CHANGELOG.md, under the version given.

make changelog VERSION=0.2.0
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"feature": "New", "fix": "Fixed", "behaviour": "Works differently", "removal": "Removed"}
HEAD = "# Changes\n\nWhat is not released yet stands in `changelog.d/`.\n"


def section(version: str, day: str, fragments: list[Path]) -> str:
    """Gives the text of one release; within a kind in the order of the issues.

    Raises ValueError for a fragment whose name is not ``<issue>.<kind>.md``.
    """
    by_kind: dict[str, list[tuple[int, str]]] = {kind: [] for kind in KINDS}
    for path in fragments:
        issue, kind, *_ = path.name.split(".")
        if not issue.isdigit() or kind not in KINDS:
            raise ValueError(f"{path.name}: wanted <issue>.<kind>.md with a kind of {', '.join(KINDS)}")
        text = " ".join(path.read_text().split())
        by_kind[kind].append((int(issue), f"- {text} (#{issue})"))
    parts = [f"## {version} ({day})"]
    for kind, title in KINDS.items():
        if by_kind[kind]:
            parts.append(f"### {title}\n\n" + "\n".join(line for _, line in sorted(by_kind[kind])))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Writes CHANGELOG.md and removes the fragments; status 2 without a version, 1 without fragments."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    fragments = sorted(path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md")
    if not fragments:
        print("changelog.d holds no fragments: nothing to release", file=sys.stderr)
        return 1
    new = section(sys.argv[1], datetime.now(UTC).date().isoformat(), fragments)
    old = (ROOT / "CHANGELOG.md").read_text().removeprefix(HEAD).strip()
    (ROOT / "CHANGELOG.md").write_text("\n".join(part for part in (HEAD, new, f"{old}\n" if old else "") if part))
    for path in fragments:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
