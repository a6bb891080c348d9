"""
Faults that no model names: what a service's own rules refuse, each as a change of a seed.

A Fault says what it does to which seed, the error that AWS answers with, and AWS's text where that is known.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from conformance.bad_calls.world import World

DROP = object()
"""Instead of a value: the member is taken away."""
Changes = Mapping[str, Any]
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """`changes` by path, or made from the world. text None: AWS's is not known; `…` in it stands for anything."""

    operation: str
    changes: Changes | Callable[[World], Changes]
    code: str
    text: str | None = None
    seed: int = 0

    def apply(self, seed: Mapping[str, Any], world: World) -> dict[str, Any]:
        """The seed with the fault in it."""
        changes = self.changes if isinstance(self.changes, Mapping) else self.changes(world)
        found = copy.deepcopy(dict(seed))
        for path, value in changes.items():
            _set(found, path, value)
        return found

    def is_told(self, text: str) -> bool:
        """Whether this is AWS's text."""
        if self.text is None:
            return True
        parts = (re.escape(part) for part in self.text.split("…"))
        return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None


def each(operation: str, code: str, path: str, *values: Any, text: str | None = None, seed: int = 0) -> Iterator[Fault]:
    """One fault a value, at one place."""
    for value in values:
        yield Fault(operation, {path: value}, code, text, seed)


def name_of(fault: Fault, number: int) -> str:
    """For the report: what is changed, shortly."""
    if not isinstance(fault.changes, Mapping):
        return f"{fault.operation} fault {number}"
    changes = ", ".join(f"{path}={'(none)' if v is DROP else repr(v)[:40]}" for path, v in fault.changes.items())
    return f"{fault.operation} {changes}"


def _set(value: Any, path: str, new: Any) -> None:
    steps = [int(index) if index else name for name, index in _STEP.findall(path)]
    for step, following in pairwise(steps):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            while len(value) <= step:
                value.append(copy.deepcopy(empty))
            value = value[step]
        else:
            value = value.setdefault(step, empty)
    last = steps[-1]
    if new is DROP:
        del value[last]
    elif isinstance(last, int) and len(value) == last:
        value.append(new)
    else:
        value[last] = new
