"""
Generates src/tidegate/api from service models.

    python tools/generate_api.py            write the modules
    python tools/generate_api.py --check    exit with 1 if one of them is not what would be written
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader

from apigen.render import render

CHECKOUT = Path(__file__).resolve().parents[1]
API = CHECKOUT / "src/tidegate/api"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Generate the API modules from service models.")
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = False
    for service in served():
        text, path = generate(service), API / f"{service}.py"
        if not check:
            path.write_text(text)
        elif path.read_text() != text:
            stale = True
            difference = difflib.unified_diff(path.read_text().splitlines(), text.splitlines(), str(path), lineterm="")
            print("\n".join(list(difference)[:40]))
    if stale:
        print("generated modules differ from the models: run python tools/generate_api.py", file=sys.stderr)
    return int(stale)


def served() -> dict[str, list[str]]:
    """The operations by service, as tools/api.toml lists them; none: all of the model's."""
    listed = tomllib.loads((CHECKOUT / "tools/api.toml").read_text())
    return {service: table["operations"] for service, table in listed.items()}


def describe(service: str) -> tuple[dict[str, Any], str]:
    """The service's model, and where it is from: a file of ours, else botocore."""
    own = sorted((API / "models").glob(f"{service}-*.json"))
    if own:
        return json.loads(own[-1].read_text()), f"models/{own[-1].name}"
    return Loader().load_service_model(service, "service-2"), f"botocore {botocore.__version__}"


def generate(service: str) -> str:
    """The text of one service's module."""
    description, source = describe(service)
    return render(description, service, served()[service], source)


if __name__ == "__main__":
    sys.exit(main())
