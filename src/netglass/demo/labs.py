"""Brings up the labs on which the parts play."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from netglass.demo.claims import Took
from netglass.demo.stage import LabStage, Ways
from netglass.lab.build import bring_up
from netglass.lab.entry import client_environment, guest_words, host_words
from netglass.lab.places import LabPlace, LabRecord
from netglass.lab.ready import wait_ready
from netglass.lab.topology import find_topology


def stages(labs: Sequence[str], tell: Callable[[str, str], None]) -> tuple[dict[str, LabStage], Took]:
    """Brings labs up side by side, and gives each as a stage, with the time until the last was ready.

    tell  is told of which lab what is being done

    Raises LabError.
    """
    began = time.monotonic()
    fresh = {lab: LabPlace(lab).read() is None for lab in labs}
    # All are started before the first is waited for.
    records = {lab: bring_up(find_topology(lab), partial(tell, lab)) for lab in labs}
    for lab in labs:
        wait_ready(LabPlace(lab), records[lab], partial(tell, lab))
    took = Took(what=f"lab up: {' and '.join(labs)}; APIs answer, agents are ready", seconds=time.monotonic() - began)
    return {lab: _stage(records[lab], fresh=fresh[lab]) for lab in labs}, took


def _stage(record: LabRecord, *, fresh: bool) -> LabStage:
    place = LabPlace(record.topology.name)
    ways = Ways(
        host=partial(host_words, place),
        guest=partial(guest_words, place),
        environment=partial(client_environment, place, record),
    )
    return LabStage(ways, fresh=fresh)
