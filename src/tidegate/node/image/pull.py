"""Brings an image from its registry into the store: manifest first, then layers, then the image is entered."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from tidegate.model.execution import RegistryLogin
from tidegate.node.image.blobs import Blobs
from tidegate.node.image.catalog import Catalog, ImageRecord
from tidegate.node.image.document import digest_of
from tidegate.node.image.download import Download
from tidegate.node.image.failures import image_errors
from tidegate.node.image.images import ImageCorrupt, Progress
from tidegate.node.image.intake import Intake, read_layout
from tidegate.node.image.manifest import Manifest, find_variant, is_index, parse_manifest, wrong_platform
from tidegate.node.image.pullbudget import PullBudget
from tidegate.node.image.pullerrors import explain
from tidegate.node.image.reference import Reference
from tidegate.node.image.skopeo import Skopeo, SkopeoFailed


@dataclass(frozen=True)
class Resolved:
    """What a name means right now."""

    digest: str
    """Of the manifest for our platform."""
    manifest: Manifest


async def resolve(skopeo: Skopeo, reference: Reference, architecture: str) -> Resolved:
    """Ask the registry; what it gives must have the digest that was asked for. Raises ImageError."""
    raw = await _fetch_manifest(skopeo, reference)
    if is_index(raw):
        variant = find_variant(raw, architecture)
        raw = await _fetch_manifest(skopeo, reference.with_digest(variant.digest))
    return Resolved(digest_of(raw), parse_manifest(raw))


async def _fetch_manifest(skopeo: Skopeo, reference: Reference) -> bytes:
    try:
        raw = await skopeo.inspect_manifest(reference)
    except SkopeoFailed as failure:
        raise explain(str(failure), str(reference), skopeo.options.retries, is_manifest=True) from failure
    if reference.digest is not None and digest_of(raw) != reference.digest:
        raise ImageCorrupt(
            f"ref pull has been retried 1 time(s): failed to copy: manifest of {reference} has digest {digest_of(raw)}"
        )
    return raw


class Puller:
    """Several images at once, up to `at_once`."""

    def __init__(
        self, skopeo: Skopeo, catalog: Catalog, blobs: Blobs, intake: Intake, at_once: int, budget: PullBudget
    ) -> None:
        self._skopeo = skopeo
        self._catalog = catalog
        self._blobs = blobs
        self._intake = intake
        self._budget = budget
        self._slots = anyio.CapacityLimiter(at_once)

    async def pull(
        self, reference: Reference, architecture: str, login: RegistryLogin | None, progress: Progress
    ) -> ImageRecord:
        """Raises ImageError."""
        async with self._slots:
            with image_errors("pull the image"), self._skopeo.logged_in(reference, login) as skopeo:
                progress(f"resolving {reference}")
                resolved = await resolve(skopeo, reference, architecture)
                return await self._fetch(skopeo, reference, architecture, resolved, progress)

    async def _fetch(
        self, skopeo: Skopeo, reference: Reference, architecture: str, resolved: Resolved, progress: Progress
    ) -> ImageRecord:
        known = self._catalog.contents.images.get(resolved.digest)
        if known is not None:
            if known.config.architecture != architecture:
                raise wrong_platform(architecture)
            self._catalog.name_image(str(reference), known)
            await self._intake.save()
            return known
        self._budget.check_manifest(resolved.manifest, self._blobs.has)
        async with self._intake.work() as (stage, pins):
            digests = {layer.digest for layer in resolved.manifest.layers}
            pins.update(digests)
            # What an earlier pull has brought is used, once it is known that no crash has broken it.
            for digest in digests - set(self._catalog.contents.unpacked):
                await anyio.to_thread.run_sync(self._blobs.drop_if_broken, digest)

            async def take(digest: str) -> None:
                await self._intake.unpack(digest, stage, pins)

            download = Download(skopeo, self._blobs, stage, resolved.manifest, progress, self._budget)
            await download.run(reference.with_digest(resolved.digest), take)
            manifest_digest = read_layout(stage / "layout")
            kept = parse_manifest(self._blobs.read(manifest_digest))
            if [layer.digest for layer in kept.layers] != [layer.digest for layer in resolved.manifest.layers]:
                raise ImageCorrupt(
                    f"ref pull has been retried 1 time(s): failed to copy: {reference} has other layers now"
                )
            return await self._intake.enter_image(str(reference), resolved.digest, manifest_digest, architecture, pins)
