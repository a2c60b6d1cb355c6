from pathlib import Path

import pytest

from netglass.lab import places
from netglass.lab.topology import DEFAULT, LabError


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "LABS", tmp_path)
    return tmp_path


def test_the_only_lab_needs_no_name(labs: Path) -> None:
    (labs / "one").mkdir()
    assert places.choose("").name == "one"


def test_of_several_labs_the_default_one_is_meant(labs: Path) -> None:
    (labs / "one").mkdir()
    (labs / DEFAULT).mkdir()
    assert places.choose("").name == DEFAULT


def test_of_several_labs_without_the_default_one_must_be_named(labs: Path) -> None:
    (labs / "one").mkdir()
    (labs / "two").mkdir()
    with pytest.raises(LabError, match=r"Several labs are up: one, two\. Say which with --lab") as refused:
        places.choose("")
    assert refused.value.usage


def test_a_lab_that_is_not_there_is_refused_with_those_that_are(labs: Path) -> None:
    (labs / "one").mkdir()
    with pytest.raises(LabError, match="There is no lab 'two'; there are: one") as refused:
        places.choose("two")
    assert refused.value.usage


def test_that_none_is_up_is_nobodys_mistake(labs: Path) -> None:
    with pytest.raises(LabError, match="No lab is up") as refused:
        places.choose("")
    assert not refused.value.usage
