"""Ports' names and numbers in the text of flows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.pipeline.flows import Match, port_text
from netglass.pipeline.ports import with_names, with_numbers
from netglass.pipeline.text import parse_flow

NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=15)
PORTS = st.dictionaries(NAMES, st.integers(1, 65279), min_size=1).filter(lambda d: len(set(d.values())) == len(d))


@given(PORTS, st.data())
def test_names_come_back_from_numbers(numbers: dict[str, int], data: st.DataObject) -> None:
    came, goes = data.draw(st.sampled_from(sorted(numbers))), data.draw(st.sampled_from(sorted(numbers)))
    doing = f"mod_vlan_vid:7,output:{port_text(goes)},resubmit(,60)"
    text = f"table=3, priority=2,{Match(in_port=came, vlan=7).text()} actions={doing}"
    numbered = with_numbers(text, numbers)
    assert f"in_port={numbers[came]},dl_vlan=7 actions=mod_vlan_vid:7,output:{numbers[goes]}," in numbered
    assert parse_flow(with_names(numbered, {number: name for name, number in numbers.items()})) == parse_flow(text)


def test_what_names_no_port_stays() -> None:
    learning = "learn(table=20,NXM_OF_VLAN_TCI[0..11],output:NXM_OF_IN_PORT[]),output:4"
    text = f"tun_id=0x4,in_port=5 actions={learning}"
    assert with_numbers(text, {"NXM": 1}) == text
    assert with_names(text, {4: "tap4"}) == text.replace("output:4", "output:tap4")
    assert with_names("set_field:ANY->in_port,IN_PORT,NORMAL", {1: "a"}) == "set_field:ANY->in_port,IN_PORT,NORMAL"


@pytest.mark.parametrize("numbers", [{}, {"tap-1": 0}, {"tap-1": -1}])
def test_a_port_that_has_no_number_is_told_by_name(numbers: dict[str, int]) -> None:
    with pytest.raises(KeyError, match="tap-1"):
        with_numbers('in_port="tap-1" actions=drop', numbers)
