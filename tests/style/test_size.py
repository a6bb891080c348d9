"""The size budget: a reader holds a file, a function and a module's vocabulary in the head."""

from __future__ import annotations

import ast

from style.sources import functions_in, name_of, python_files, tree_of

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_SUITE = 500
"""Of a test file: one contract's suite stays in one place, beside what it is run over."""
MOST_LINES_OF_A_FUNCTION = 50
MOST_PUBLIC_NAMES = 15


def test_no_file_is_longer_than_the_budget() -> None:
    """At most 400 lines; past that a module has two reasons to change. A test suite may have 500."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > _most_lines(name)} == {}


def test_no_function_is_longer_than_the_budget() -> None:
    """At most 50 lines from `def` to the end of the body."""
    too_long = {
        f"{name_of(path)}:{function.lineno} {function.name}": length
        for path in python_files()
        for function in functions_in(tree_of(path))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert too_long == {}


def test_no_module_has_more_public_names_than_the_budget() -> None:
    """At most 15 functions and classes for others in a module of the product; a table of constants is one thing."""
    counts = {
        name_of(path): len(names)
        for path in python_files()
        if name_of(path).startswith("src/") and len(names := _public_names(tree_of(path))) > MOST_PUBLIC_NAMES
    }
    assert counts == {}


def _public_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(
                target.id for target in node.targets if isinstance(target, ast.Name) and not target.id.isupper()
            )
    return {name for name in names if not name.startswith("_")}


def _most_lines(name: str) -> int:
    return MOST_LINES_OF_A_SUITE if name.startswith("tests/") else MOST_LINES_OF_A_FILE
