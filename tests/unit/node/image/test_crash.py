"""A server that is killed in the middle of a pull leaves a store that opens, and the next pull completes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.images import files_tar, make_image
from fixtures.imagestore import no_mounts_left, open_store
from fixtures.registry import missing_for_registry, running_registry

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.host,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(bool(missing_for_registry), reason=f"needs {missing_for_registry}"),
]

PULL = """
import sys, anyio
from pathlib import Path
from tidegate.node.image.store import ImageStore

async def main():
    store = ImageStore(Path(sys.argv[1]), layer_format=sys.argv[3])
    async with store.open():
        print("open", flush=True)
        await store.ensure(sys.argv[2], "x86_64", lambda line: print(line, flush=True))
        print("done", flush=True)

anyio.run(main)
"""


@pytest.fixture
def anyio_backend() -> str:
    """Real processes are killed in real time."""
    return "asyncio"


@pytest.fixture(autouse=True)
def clean(tmp_path: Path) -> Iterator[None]:
    with no_mounts_left(tmp_path):
        yield


def pull_and_kill(store: Path, reference: str, layer_format: str, after_seconds: float) -> None:
    """Start a server's pull in a process of its own, and kill it that long after the store is open."""
    command = [sys.executable, "-c", PULL, store, reference, layer_format]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        deadline = time.monotonic() + after_seconds
        while time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("layer_format", ["erofs", "directory"])
async def test_a_pull_that_was_killed_at_any_time_can_be_done_again(tmp_path: Path, layer_format: str) -> None:
    """Twelve kills, each a bit later; then the image is whole, and the store holds nothing else."""
    layers = [files_tar({f"f{number}/{n}": os.urandom(3000) for n in range(200)}) for number in range(4)]
    image = make_image(layers)
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as registry:
        reference = registry.push("team/killed", "v1", image)
        for number in range(12):
            pull_and_kill(tmp_path / "store", reference, layer_format, number * 0.025)
        async with open_store(tmp_path / "store", layer_format=layer_format) as store:
            pulled = await store.ensure(reference, "x86_64")
            assert (pulled.digest, pulled.layers) == (image.digest, image.diff_ids)
            rootfs = await store.mount_rootfs(pulled, tmp_path / "task")
            assert sum(len(files) for _, _, files in os.walk(rootfs)) == 800
            await store.unmount_rootfs(tmp_path / "task")
            assert os.listdir(tmp_path / "store/staging") == []
            assert {f"sha256:{name}" for name in os.listdir(tmp_path / "store/layers")} == set(image.diff_ids)
