"""The layers of one image on their way from a registry, each handed on as soon as it has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from tidegate.node.image.blobs import Blobs
from tidegate.node.image.images import ImageCorrupt, Progress
from tidegate.node.image.manifest import Manifest
from tidegate.node.image.pullbudget import PullBudget
from tidegate.node.image.pullerrors import explain
from tidegate.node.image.reference import Reference
from tidegate.node.image.skopeo import Skopeo, SkopeoFailed

_POLL_SECONDS = 0.03
_REPORT_SECONDS = 0.5


class Download:
    """One image; used once."""

    def __init__(
        self,
        skopeo: Skopeo,
        blobs: Blobs,
        stage: Path,
        manifest: Manifest,
        progress: Progress | None,
        budget: PullBudget,
    ) -> None:
        self._skopeo = skopeo
        self._blobs = blobs
        self._layout = stage / "layout"
        self._progress = progress
        self._budget = budget
        self._sizes = {layer.digest: layer.size for layer in manifest.layers}
        self._is_over = False

    async def run(self, reference: Reference, take: Callable[[str], Awaitable[None]]) -> None:
        """
        Fetch everything; `take` is called once for each distinct layer when its blob is here, several at a time.

        Raises ImageError.
        """
        async with anyio.create_task_group() as reporting:
            reporting.start_soon(self._report)
            await self._fetch(reference, take)
            reporting.cancel_scope.cancel()

    async def _fetch(self, reference: Reference, take: Callable[[str], Awaitable[None]]) -> None:
        failure: SkopeoFailed | None = None
        async with anyio.create_task_group() as group:
            for digest in self._sizes:
                group.start_soon(self._hand_over, digest, take)
            try:
                await self._skopeo.pull(reference, self._layout, self._blobs.root, self._look)
            except SkopeoFailed as error:
                failure = error
                group.cancel_scope.cancel()
            else:
                self._is_over = True
        if failure is not None:
            raise explain(str(failure), str(reference), self._skopeo.options.retries, is_manifest=False) from failure

    async def _hand_over(self, digest: str, take: Callable[[str], Awaitable[None]]) -> None:
        while not self._blobs.has(digest):
            if self._is_over:
                raise ImageCorrupt(f"cannot pull the image: its layer {digest} did not come")
            await anyio.sleep(_POLL_SECONDS)
        await take(digest)

    def _look(self) -> int:
        here = self._bytes_here()
        self._budget.check_progress(sum(self._sizes.values()), here)
        return here

    def _bytes_here(self) -> int:
        whole = sum(size for digest, size in self._sizes.items() if self._blobs.has(digest))
        try:
            return whole + sum(
                path.stat().st_size for path in self._layout.iterdir() if path.name.startswith("oci-put-blob")
            )
        except FileNotFoundError:
            # A file was moved to its place between two looks.
            return whole

    async def _report(self) -> None:
        total = sum(self._sizes.values())
        while self._progress is not None:
            done = sum(1 for digest in self._sizes if self._blobs.has(digest))
            here = min(self._bytes_here(), total)
            self._progress(
                f"layer {min(done + 1, len(self._sizes))}/{len(self._sizes)}: {here // 10**6} of {total // 10**6} MB"
            )
            await anyio.sleep(_REPORT_SECONDS)
