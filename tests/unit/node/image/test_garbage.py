"""What goes is what no image needs; what stays is what one needs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.image import ImageConfig
from tidegate.node.image.catalog import Contents, ImageRecord, LayerRecord
from tidegate.node.image.garbage import Garbage, find_garbage

_DIGESTS = st.sampled_from([f"sha256:{letter}" for letter in "abcdef"])


@st.composite
def contents(draw: st.DrawFn) -> Contents:
    """Stores of a few images that share layers."""
    layers = draw(st.sets(_DIGESTS))
    images = {}
    for digest in draw(st.sets(_DIGESTS)):
        own = tuple(draw(st.lists(st.sampled_from(sorted(layers)), max_size=3))) if layers else ()
        images[digest] = ImageRecord(
            digest=digest,
            manifest=digest,
            config=ImageConfig(),
            layers=own,
            blobs=(digest, *(f"{layer}-packed" for layer in own)),
            created_at=0,
        )
    named = draw(st.sets(st.sampled_from(sorted(images)))) if images else set()
    return Contents(
        images=images,
        references={f"name-{digest}": {"x86_64": digest} for digest in named},
        layers={layer: LayerRecord(number=n, format="erofs", bytes=1) for n, layer in enumerate(sorted(layers))},
        unpacked={f"{layer}-packed": layer for layer in layers},
    )


@given(held=contents(), in_use=st.sets(_DIGESTS), extra=st.sets(_DIGESTS))
def test_what_is_needed_stays_and_all_else_goes(held: Contents, in_use: set[str], extra: set[str]) -> None:
    """An image is needed for its name or its user; layers and blobs for an image or their user."""
    here = {blob for image in held.images.values() for blob in image.blobs} | extra | set(held.unpacked)
    garbage = find_garbage(held, here, in_use)
    named = {digest for variants in held.references.values() for digest in variants.values()}
    kept = {digest: image for digest, image in held.images.items() if digest not in garbage.images}
    assert set(kept) == set(held.images) & (named | in_use)
    for image in kept.values():
        assert not garbage.layers & set(image.layers)
        assert not garbage.blobs & set(image.blobs)
    assert not (garbage.layers | garbage.blobs | garbage.images) & in_use
    needed = {layer for image in kept.values() for layer in image.layers} | in_use
    assert garbage.layers == set(held.layers) - needed
    assert all(f"{layer}-packed" not in garbage.blobs for layer in set(held.layers) & needed)
    assert {f"{layer}-packed" for layer in garbage.layers} <= garbage.blobs


@given(held=contents())
def test_collecting_twice_finds_nothing_more(held: Contents) -> None:
    """One pass is enough."""
    garbage = find_garbage(held, set(held.unpacked), set())
    for digest in garbage.images:
        del held.images[digest]
    for layer in garbage.layers:
        del held.layers[layer]
    again = find_garbage(held, set(held.unpacked) - garbage.blobs, set())
    assert again == Garbage(frozenset(), frozenset(), frozenset())
