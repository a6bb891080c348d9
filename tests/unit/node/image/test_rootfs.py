"""The mount options of a root file system fit into their page, whatever the paths are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.node.image.rootfs import plan_options

UPPER, WORK = Path("/t/upper"), Path("/t/work")


def test_the_topmost_layer_comes_first() -> None:
    """overlayfs counts from above, an image from below."""
    lowers = [Path("/s/l/1"), Path("/s/l/2")]
    assert (
        plan_options(lowers, UPPER, WORK, 9)
        == "lowerdir=/s/l/2:/s/l/1,upperdir=/t/upper,workdir=/t/work,index=off,volatile"
    )


def test_long_paths_are_named_through_a_descriptor() -> None:
    """A hundred layers in any directory."""
    lowers = [Path("/" + "d" * 200, "l", str(1000 + number)) for number in range(100)]
    options = plan_options(lowers, UPPER, WORK, 9)
    assert options.startswith("lowerdir=/proc/self/fd/9/1099:/proc/self/fd/9/1098:")
    assert len(options) < 4096


def test_more_than_fits_is_an_error() -> None:
    """Not a mount of fewer layers."""
    with pytest.raises(OSError, match="cannot mount 300 layers"):
        plan_options([Path("/a/longer/path", str(number)) for number in range(1000, 1300)], UPPER, WORK, 9)


def test_what_parts_paths_and_options_is_escaped() -> None:
    """A directory's name can't become an option."""
    upper = Path("/a:b,lowerdir=/etc\\c")
    assert ",upperdir=/a\\:b\\,lowerdir=/etc\\\\c,workdir=" in plan_options([Path("/s/l/1")], upper, WORK, 9)
