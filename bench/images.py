"""
Times pulling and unpacking an image of about 100 MB: Tidegate's store beside podman and docker, in one run.

`python bench/images.py [--rounds N] [--json FILE]`, as root. Everything is made on the spot: the image, a registry on
loopback, and a store for each round, so nothing is cached but the registry's files in memory. Rounds take turns, so
that a busy machine hits all alike.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from fixtures.images import MadeImage, make_image, member, tar_of
from fixtures.registry import missing_for_registry, running_registry
from tidegate.node.image.layers import FormatName, find_format
from tidegate.node.image.store import ImageStore

_LAYER_FILES = (6000, 2500, 1000, 500)
_BYTES_PER_FILE = 15_000
_WORDS = 6000


def build_layer(number: int, files: int) -> bytes:
    """A tar of files of all sizes, packing to a third as programs and libraries do; the same on every run."""
    source = random.Random(number)
    words = [source.randbytes(source.randrange(4, 24)) for _ in range(_WORDS)]
    entries: list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]] = []
    for index in range(files):
        if index % 12 == 0:
            entries.append(member(f"layer{number}/d{index // 12}", tarfile.DIRTYPE))
        size = min(int(source.paretovariate(1.05) * _BYTES_PER_FILE / 8), 8_000_000)
        data = b"".join(source.choices(words, k=size // 14 + 1))
        entries.append((member(f"layer{number}/d{index // 12}/file{index}", mtime=1_700_000_000), data))
    return tar_of(entries)


def build_image() -> MadeImage:
    """Four layers, the first as large as the others together."""
    return make_image(
        [build_layer(number, files) for number, files in enumerate(_LAYER_FILES)], config={"Cmd": ["/none"]}
    )


def pull_with_tidegate(layer_format: FormatName, reference: str, directory: Path) -> float:
    """Seconds."""

    async def pull() -> float:
        store = ImageStore(directory / "store", layer_format=layer_format)
        async with store.open():
            start = time.perf_counter()
            await store.ensure(reference, "x86_64")
            return time.perf_counter() - start

    return anyio.run(pull)


def pull_with_podman(reference: str, directory: Path) -> float:
    """Seconds; in a storage of its own."""
    command = ["podman", "--root", directory / "root", "--runroot", directory / "run", "--storage-driver", "overlay"]
    start = time.perf_counter()
    subprocess.run([*command, "pull", "-q", "--tls-verify=false", reference], check=True, capture_output=True)
    seconds = time.perf_counter() - start
    subprocess.run([*command, "rmi", "-a", "-f"], check=True, capture_output=True)
    return seconds


def pull_with_docker(reference: str, directory: Path) -> float:
    """Seconds; the image is removed afterwards."""
    start = time.perf_counter()
    subprocess.run(["docker", "pull", "-q", reference], check=True, capture_output=True)
    seconds = time.perf_counter() - start
    subprocess.run(["docker", "rmi", reference], check=True, capture_output=True)
    return seconds


def has_docker_daemon() -> bool:
    """If there is one to compare with."""
    return (
        shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    )


def find_contenders(directory: Path) -> dict[str, Callable[[str, Path], float]]:
    """What can be timed on this machine, ours first."""
    contenders: dict[str, Callable[[str, Path], float]] = {}
    if find_format(directory) == "erofs":
        contenders["tidegate erofs"] = partial(pull_with_tidegate, "erofs")
    contenders["tidegate directory"] = partial(pull_with_tidegate, "directory")
    if shutil.which("podman"):
        contenders["podman"] = pull_with_podman
    if has_docker_daemon():
        contenders["docker"] = pull_with_docker
    return contenders


def measure(rounds: int) -> dict[str, object]:
    """Run everything; the figures."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as made:
        directory = Path(made)
        image = build_image()
        packed = sum(len(blob) for blob in image.blobs.values())
        seconds: dict[str, list[float]] = {}
        contenders = find_contenders(directory)
        with running_registry(directory / "registry") as registry:
            for turn in range(rounds):
                # A tag of its own each time: docker's layers are gone with it, and nobody can know the image.
                reference = registry.push("bench/image", f"v{turn}", image)
                for name, pull in contenders.items():
                    place = directory / "place"
                    place.mkdir()
                    seconds.setdefault(name, []).append(pull(reference, place))
                    shutil.rmtree(place)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ours = next(iter(medians.values()))
    return {
        "packed_mb": round(packed / 1e6, 1),
        "layers": len(_LAYER_FILES),
        "files": sum(_LAYER_FILES),
        "seconds": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
        "median_seconds": {name: round(value, 3) for name, value in medians.items()},
        "times_ours": {name: round(value / ours, 2) for name, value in medians.items()},
    }


def main() -> None:
    """Print a table, and JSON where it is wanted."""
    options = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    if missing_for_registry:
        sys.exit(f"cannot measure: {missing_for_registry} not installed")
    figures = measure(chosen.rounds)
    print(f"pull + unpack, {figures['packed_mb']} MB packed, {figures['layers']} layers, {figures['files']} files")
    medians, ratios = figures["median_seconds"], figures["times_ours"]
    assert isinstance(medians, dict)
    assert isinstance(ratios, dict)
    for name, seconds in medians.items():
        print(f"  {name:20} {seconds:8.2f} s {ratios[name]:8.2f} x")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
