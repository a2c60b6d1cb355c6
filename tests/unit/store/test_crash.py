"""Killing a server at any time loses nothing that it answered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from netglass.model.resources import Port
from netglass.store.store import Store

# Commits ports without end, and says each one's name and revision once the commit has been answered.
pytestmark = pytest.mark.server

_WRITER = """
import sys
from netglass.model.caller import Caller
from netglass.model.resources import FixedIp, Port
from netglass.store.store import Store

def decide(draft, fresh):
    ids = [fresh.uuid() for _ in range(3)]
    for row_id in ids:
        address = FixedIp("s1", f"fd00::{row_id[:4]}:{row_id[9:13]}:{row_id[14:18]}")
        draft.put(Port(id=row_id, network_id="n1", mac_address=row_id, fixed_ips=(address,)))
    return ids

store = Store.open(sys.argv[1])
while True:
    committed = store.commit(decide, Caller())
    print(committed.revision, *committed.result, flush=True)
"""


@pytest.mark.parametrize("after", [1, 20, 57])
def test_nothing_answered_is_lost_by_kill_9(database_url: str, after: int) -> None:
    url = database_url
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    answered = [writer.stdout.readline().split() for _ in range(after)]
    os.kill(writer.pid, signal.SIGKILL)
    answered += [line.split() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()

    store = Store.open(url)
    log = store.changes_since(0)

    for revision, *ids in answered:
        assert [change.id for change in log[int(revision) - 1].changes] == ids
        assert all(store.snapshot.get(Port, row_id) is not None for row_id in ids)
    # A commit is there whole or not at all, and the counter agrees with log and intent.
    assert [entry.revision for entry in log] == list(range(1, store.snapshot.revision + 1))
    assert store.snapshot.count(Port) == 3 * store.snapshot.revision
    assert store.snapshot.revision - len(answered) in (0, 1)
    store.close()
