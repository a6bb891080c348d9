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

import botocore
from apigen.render import render
from botocore.loaders import Loader
from botocore.model import ServiceModel

CHECKOUT = Path(__file__).resolve().parents[1]
API = CHECKOUT / "src/tidegate/api"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Generate the API modules from service models.")
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = False
    for service, operations in tomllib.loads((CHECKOUT / "tools/api.toml").read_text()).items():
        text = generate(service, operations["operations"])
        path = API / f"{service}.py"
        if not check:
            path.write_text(text)
        elif path.read_text() != text:
            stale = True
            difference = difflib.unified_diff(path.read_text().splitlines(), text.splitlines(), str(path), lineterm="")
            print("\n".join(list(difference)[:40]))
    if stale:
        print("generated modules differ from the models: run python tools/generate_api.py", file=sys.stderr)
    return int(stale)


def generate(service: str, operations: list[str]) -> str:
    """The text of one service's module."""
    own = sorted((API / "models").glob(f"{service}-*.json"))
    if own:
        model = ServiceModel(json.loads(own[-1].read_text()), service)
        return render(model, operations or list(model.operation_names), f"models/{own[-1].name}")
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return render(model, operations, f"botocore {botocore.__version__}")


if __name__ == "__main__":
    sys.exit(main())
