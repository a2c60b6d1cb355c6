"""A network namespace of the test's own, so that the machine's devices are left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from netglass.host import syscalls


@contextmanager
def own_network() -> Iterator[None]:
    """Lets the calling thread, and what it starts, live in a new network namespace for a while."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.NEWNET)
        yield
    finally:
        syscalls.setns(home, syscalls.NEWNET)
        os.close(home)
