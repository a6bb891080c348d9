"""
Calls of every operation, made from the service models: right, nearly right, and not right at all.

A call is a seed in which some members are replaced by values of their shapes, or a whole request made from the shape.
Texts are drawn from what is in the world and from what is hostile; numbers from the edges of their ranges.

    PYTHONPATH=src:tests:tools python -m conformance.fuzzing 50000      so many calls, in sequences of ten
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conformance.bad_calls.collection import SEEDS, operations
from conformance.bad_calls.world import World, make_world
from conformance.forms import write_body
from conformance.references import check_references
from fakes.served import Served, check_records

CALLS = 10
"""In a sequence."""
LONGEST_SECONDS = 2.0
"""For one call: more is a hang."""
DEEPEST = 4
TURNS = {"RegisterTaskDefinition": 20, "RunTask": 20, "AuthorizeSecurityGroupIngress": 5, "PutLogEvents": 3}
"""Operations whose requests have more to go wrong come up more often."""
EDGES = (-(2**63) - 1, -(2**31), -1, 0, 1, 2, 5, 10, 60, 100, 101, 256, 512, 1000, 65535, 65536, 2**31, 2**63, 10**30)
HOSTILE = (
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "é",
    "💥",
    "a" * 300,
    "a" * 5000,
    "../..",
    "%00",
    "{}",
    "[",
    "*",
    "(a+)+$",
    "arn:",
)


def _later(make: Callable[..., st.SearchStrategy[Any]], *arguments: Any) -> Callable[[], st.SearchStrategy[Any]]:
    """A plain function, as `st.deferred` wants it."""
    return lambda: make(*arguments)


SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a sequence."""

    service: str
    operation: str
    body: bytes


class Values:
    """Values of shapes. words: texts that mean something in the world."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._texts = st.sampled_from(words) | st.sampled_from(HOSTILE) | st.text(max_size=12)
        self.of = lru_cache(maxsize=None)(self._of)

    def _of(self, shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
        """A value of the shape, most of the time."""
        fitting = self._fitting(shape, depth)
        return st.integers(0, 19).flatmap(lambda luck: ANYTHING if luck == 0 else fitting)

    def _fitting(self, shape: Shape, depth: int) -> st.SearchStrategy[Any]:
        match shape:
            case StructureShape():
                return self._structure(shape, depth)
            case ListShape():
                item = self.of(shape.member, depth + 1)
                return st.lists(item, max_size=2 if depth < DEEPEST else 0)
            case MapShape():
                return st.dictionaries(self._texts, self.of(shape.value, depth + 1), max_size=2)
        match shape.type_name:
            case "string":
                enum = shape.metadata.get("enum")
                return st.sampled_from(enum) | self._texts if enum else self._texts
            case "integer" | "long":
                least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 4096)
                return st.sampled_from(EDGES) | st.integers(least - 1, most + 1)
            case "boolean":
                return st.booleans()
            case "timestamp" | "double" | "float":
                return st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EDGES)
            case _:
                return self._texts

    def _structure(self, shape: StructureShape, depth: int) -> st.SearchStrategy[Any]:
        required = set(shape.required_members)
        members = {name: st.deferred(_later(self.of, member, depth + 1)) for name, member in shape.members.items()}
        optional = {name: value for name, value in members.items() if name not in required}
        return st.fixed_dictionaries(
            {name: members[name] for name in required}, optional=optional if depth < DEEPEST else {}
        )


def calls(world: World) -> st.SearchStrategy[Call]:
    """Any call of any operation that is served."""
    words = find_words(world)
    values = Values(words)
    rows = [
        (service, operation)
        for service in SEEDS
        for operation in operations(service)
        for _ in range(TURNS.get(operation.name, 1))
    ]
    return st.sampled_from(rows).flatmap(lambda row: _calls_of(world, values, *row))


def find_words(world: World) -> tuple[str, ...]:
    """Every text in the seeds: names and ids that mean something, and values that some member takes."""
    found: dict[str, None] = {}

    def visit(value: Any) -> None:
        if isinstance(value, str):
            found[value] = None
        elif isinstance(value, Mapping):
            for inner in value.values():
                visit(inner)
        elif isinstance(value, list):
            for inner in value:
                visit(inner)

    for seeds in SEEDS.values():
        for some in seeds.values():
            for seed in some:
                visit(seed(world))
    return tuple(found)


def _calls_of(world: World, values: Values, service: str, operation: OperationModel) -> st.SearchStrategy[Call]:
    shape = operation.input_shape
    parameters: st.SearchStrategy[Any] = st.just({})
    if isinstance(shape, StructureShape):
        seeds = st.sampled_from([seed(world) for seed in SEEDS[service][operation.name]])
        changed = seeds.flatmap(lambda seed: _changed(seed, shape, values))
        parameters = changed | changed | values.of(shape)
    return parameters.map(lambda given: Call(service, operation.name, _body(operation, given)))


def _body(operation: OperationModel, parameters: Any) -> bytes:
    try:
        return write_body(operation, parameters)
    except (UnicodeEncodeError, RecursionError):  # half a surrogate, which no form can carry
        return b"Action=" + operation.name.encode()


def _changed(seed: Mapping[str, Any], shape: StructureShape, values: Values) -> st.SearchStrategy[Any]:
    """The seed, in which up to three members (of the request or of what is in it) have another value, or none."""
    return st.lists(st.integers(0, 10**9), max_size=3).flatmap(lambda turns: _change(seed, shape, values, turns))


def _change(value: Any, shape: Shape, values: Values, turns: list[int]) -> st.SearchStrategy[Any]:
    if not turns:
        return st.just(value)
    first, *rest = turns
    changed = _change_one(value, shape, values, first)
    return changed.flatmap(lambda inner: _change(inner, shape, values, rest))


def _change_one(value: Any, shape: Shape, values: Values, turn: int) -> st.SearchStrategy[Any]:
    """Goes down into the value as `turn` says, and draws anew what is there."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping) and turn % 8:
        names = sorted(shape.members)
        if not names:
            return st.just(value)
        present = [name for name in names if name in value]
        name = (present or names)[turn // 8 % len(present or names)] if turn % 3 else names[turn // 8 % len(names)]
        if turn % 8 == 1:
            return st.just({key: inner for key, inner in value.items() if key != name})
        inner = _change_one(value.get(name), shape.members[name], values, turn // 7)
        return inner.map(lambda new: {**value, name: new})
    if isinstance(shape, ListShape) and isinstance(value, list) and value and turn % 8:
        number = turn % len(value)
        inner = _change_one(value[number], shape.member, values, turn // 7)
        return inner.map(lambda new: [*value[:number], new, *value[number + 1 :]])
    return values.of(shape)


@dataclass
class Fuzz:
    """Sends sequences of calls to one world, which is put right before each, and looks at the store after each call."""

    world: World
    restore: Callable[[], None]
    runner: asyncio.Runner
    answers: Counter[str]

    def play(self, sequence: list[Call]) -> None:
        """Raises AssertionError."""
        self.restore()
        for call in sequence:
            self.runner.run(self._send(call))

    async def _send(self, call: Call) -> None:
        served = self.world.served
        before, began = served.revision, time.perf_counter()
        reply = await served.send(call.service, call.operation, call.body)
        took = time.perf_counter() - began
        self.answers["calls"] += 1
        self.answers["taken" if reply.status == 200 else "refused"] += 1
        assert reply.status < 500, f"{call}: {reply}"
        assert took < LONGEST_SECONDS, f"{call}: took {took:.1f} s"
        if reply.status != 200:
            assert served.revision == before, f"{call}: refused ({reply.code}), and something was written"
        elif served.revision != before:
            check_records(served)
            check_references(served)


def open_fuzz(directory: Path) -> Fuzz:
    """In a world of its own."""
    runner = asyncio.Runner()
    world = runner.run(make_world(Served(directory)))
    return Fuzz(world, world.served.keep(), runner, Counter())


def run(fuzz: Fuzz, sequences: int, *, is_deterministic: bool) -> None:
    """So many sequences of CALLS calls. Raises AssertionError with the shortest one that fails."""

    @settings(
        max_examples=sequences,
        deadline=None,
        database=None,
        derandomize=is_deterministic,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.lists(calls(fuzz.world), min_size=CALLS, max_size=CALLS))
    def play(sequence: list[Call]) -> None:
        fuzz.play(sequence)

    play()


def main() -> None:
    """Run as many calls as the first argument says, and tell what came of them."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as directory:
        fuzz = open_fuzz(Path(directory))
        began = time.monotonic()
        while fuzz.answers["calls"] < wanted:
            run(fuzz, min(1000, (wanted - fuzz.answers["calls"]) // CALLS + 1), is_deterministic=False)
            print(f"{dict(fuzz.answers)} in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
