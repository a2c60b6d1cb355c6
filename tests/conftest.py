"""How hard Hypothesis looks.

``repeatable`` (what `make test` runs) draws the same examples every time, so that a red run means that the tree is red.
``search`` (`make laws`) draws new ones, many more of them; what it finds becomes an ``@example`` of its law.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_SLOW_MACHINES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("repeatable", _SLOW_MACHINES, derandomize=True, database=None)
settings.register_profile("search", _SLOW_MACHINES, max_examples=2000)
settings.load_profile("repeatable")
