"""Modules are named for what they hold, and say at their top what they are for."""

from __future__ import annotations

import ast

from style.sources import functions_in, name_of, python_files, tree_of

FORBIDDEN = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager", "handlers", "misc", "core"})


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A drawer for everything fills up with everything."""
    assert [name_of(path) for path in python_files() if {path.stem, *path.parent.parts} & FORBIDDEN] == []


def test_every_module_says_what_it_is_for() -> None:
    """A docstring opens each file that holds code."""
    missing = [
        name_of(path) for path in python_files() if path.read_text().strip() and not ast.get_docstring(tree_of(path))
    ]
    assert missing == []


def test_every_test_says_what_it_promises() -> None:
    """A test's docstring is the promise that it holds."""
    missing = [
        f"{name_of(path)}:{function.lineno} {function.name}"
        for path in python_files()
        if path.name.startswith("test_")
        for function in functions_in(tree_of(path))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert missing == []


def test_no_broad_except_is_a_surprise() -> None:
    """`except Exception` (or broader) raises again, logs the exception, or carries a comment that says why."""
    silent = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files()
        if name_of(path).startswith("src/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and _is_broad(node)
        and not _is_told(node)
        and not _is_explained(path.read_text(), node)
    ]
    assert silent == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    return caught is None or (isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException"))


def _is_told(handler: ast.ExceptHandler) -> bool:
    return any(
        isinstance(node, ast.Raise) or (isinstance(node, ast.Attribute) and node.attr == "exception")
        for node in ast.walk(handler)
    )


def _is_explained(text: str, handler: ast.ExceptHandler) -> bool:
    """Is there a comment from the `except` to its first statement?"""
    return any("#" in source for source in text.splitlines()[handler.lineno - 1 : handler.body[0].lineno])
