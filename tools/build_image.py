"""
Builds an OCI image from Debian packages: build_image.py RECIPE [--output FILE] [--cache DIR] [--force].

Prints the path of the OCI archive, for `tidegate image import FILE --tag NAME` or `skopeo copy oci-archive:FILE ...`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from devkit.steps import StepFailed, Terminal
from imagebuild.build import build
from imagebuild.recipe import BadRecipe

CHECKOUT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="build_image.py", description="Build an OCI image from Debian packages.")
    parser.add_argument("recipe", type=Path, help="a TOML file; its form is described in tools/imagebuild/recipe.py")
    parser.add_argument("--output", type=Path, help="copy the archive here as well")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="default: $TIDEGATE_CACHE or .cache")
    parser.add_argument("--force", action="store_true", help="build even if the cache has it")
    options = parser.parse_args(arguments)
    try:
        archive = build(options.recipe, options.cache, Terminal.detect(), force=options.force)
    except (BadRecipe, StepFailed) as error:
        print(f"build_image: {error}", file=sys.stderr)
        return 1
    if options.output:
        shutil.copyfile(archive, options.output)
    print(options.output or archive)
    return 0


def default_cache() -> Path:
    """Where archives are kept between builds."""
    return Path(os.environ.get("TIDEGATE_CACHE") or CHECKOUT / ".cache")


if __name__ == "__main__":
    sys.exit(main())
