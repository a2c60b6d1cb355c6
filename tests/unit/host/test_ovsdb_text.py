"""Messages of the database are found and read whole, however the stream is cut."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from ovs.json import Parser as TheirParser

from netglass.host.ovsdb_text import Parser

_text = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
)  # the package takes no NUL
_leaves = st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | _text | st.sampled_from('{}[]"\\')
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4))
messages = st.lists(st.dictionaries(_text, _values, max_size=4), min_size=1, max_size=4)


@given(messages, st.booleans(), st.integers(1, 40))
def test_messages_are_read_as_the_package_reads_them_wherever_the_stream_is_cut(
    sent: list[dict[str, object]], ascii_only: bool, size: int
) -> None:
    text = "".join(json.dumps(one, ensure_ascii=ascii_only) for one in sent)
    assert _read(text, size, Parser) == _read(text, size, TheirParser) == sent


def test_what_is_wrong_is_told_as_text() -> None:
    parser = Parser()
    assert parser.feed('{"a": nothing}{') == 14
    assert parser.is_done()
    assert isinstance(parser.finish(), str)


def _read(text: str, size: int, kind: type) -> list[object]:
    found: list[object] = []
    parser = kind()
    for start in range(0, len(text), size):
        chunk = text[start : start + size]
        while chunk:
            chunk = chunk[parser.feed(chunk) :]
            if parser.is_done():
                found.append(parser.finish())
                parser = kind()
    return found
