"""What of the store nobody needs any more: a rule over its contents."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.node.image.catalog import Contents


@dataclass(frozen=True)
class Garbage:
    """Digests to forget and to delete."""

    images: frozenset[str]
    layers: frozenset[str]
    blobs: frozenset[str]


def find_garbage(contents: Contents, blobs_here: set[str], in_use: set[str]) -> Garbage:
    """
    An image stays for a name that leads to it, or for its digest being `in_use`; a layer or blob for an image, or for
    itself.
    """
    named = {digest for variants in contents.references.values() for digest in variants.values()}
    kept = [image for digest, image in contents.images.items() if digest in named | in_use]
    layers = {layer for image in kept for layer in image.layers} | in_use
    # The archive of a layer in use is what it is repaired from.
    archives = {digest for digest, diff_id in contents.unpacked.items() if diff_id in in_use}
    blobs = {blob for image in kept for blob in image.blobs} | archives | in_use
    return Garbage(
        images=frozenset(contents.images) - {image.digest for image in kept},
        layers=frozenset(contents.layers) - layers,
        blobs=frozenset(blobs_here) - blobs,
    )
