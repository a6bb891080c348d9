"""The figures of `images`: pulling 100 MB, in turns with podman and docker."""

from __future__ import annotations

from typing import cast

from bench.figures import Figure
from bench.images import measure

ROUNDS = 3


def measure_pulling() -> list[Figure]:
    """One figure for each that is here to compare with."""
    found = measure(ROUNDS)
    medians = cast(dict[str, float], found["median_seconds"])
    name, ours = next(iter(medians.items()))
    others = {other: value for other, value in medians.items() if not other.startswith("tidegate")}
    what = f"pull and unpack {found['packed_mb']} MB from a registry on loopback ({name.removeprefix('tidegate ')})"
    beside = ", ".join(f"{other} {value:.2f}" for other, value in others.items())
    return [
        Figure(
            what=what,
            measured=f"{ours:.2f} s  ({beside or 'nothing to compare with'})",
            goal="faster than podman and docker",
            holds=ours <= min(others.values()) if others else None,
            values=medians,
        )
    ]
