"""Memory of pure functions' answers, by which objects they were asked about.

Rows and what is made of them are frozen and shared from one snapshot to the next, so that "the same object" means "the
same answer", and asking so costs nothing however large the object is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_BY_VALUE = (str, int, bool)


def remembered(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Has a pure function remember at least its last `size` answers, and at most twice as many.

    It takes frozen values, by place.  Text and numbers are told by their value, all else by its identity: an equal
    value that is another object is asked about anew.  What was asked about is kept alive with the answer.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        young: dict[tuple[Any, ...], tuple[R, Any]] = {}
        old: dict[tuple[Any, ...], tuple[R, Any]] = {}

        @wraps(function)
        def asked(*args: P.args, **kwargs: P.kwargs) -> R:
            nonlocal young, old
            if kwargs:
                raise TypeError(f"{function.__name__} takes its arguments by place")
            key = tuple([arg if type(arg) in _BY_VALUE else id(arg) for arg in args])
            held = young.get(key)
            if held is None:
                # The arguments are kept, as another object could get the id of one that is no more.
                held = old.get(key) or (function(*args, **kwargs), args)
                if len(young) >= size:
                    old, young = young, {}
                young[key] = held
            return held[0]

        return asked

    return decorate
