"""The project's own files, as the style tests see them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

GENERATED = frozenset(
    f"src/tidegate/api/{name}.py" for name in ("ecs", "ec2", "sts", "iam", "logs", "ssm", "secretsmanager", "tidegate")
)
"""Written by tools/; their size is their source's."""


@cache
def tracked() -> tuple[Path, ...]:
    """Every file under version control that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    paths = (CHECKOUT / name for name in listed.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def name_of(path: Path) -> str:
    """As it is written in reports: relative to the checkout."""
    return path.relative_to(CHECKOUT).as_posix()


@cache
def python_files() -> tuple[Path, ...]:
    """What people wrote."""
    return tuple(path for path in tracked() if path.suffix == ".py" and name_of(path) not in GENERATED)


@cache
def tree_of(path: Path) -> ast.Module:
    """Its syntax tree."""
    return ast.parse(path.read_text(), filename=str(path))


def functions_in(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
