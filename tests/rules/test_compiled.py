"""Compiled functions are called by Python or by each other, not by both.

Compiled code is kept on disk. A function that came from there inside another one, and is called from Python
afterwards, fails when it hands an array back: Numba fills in only once what it needs for that (0.68: "In
'NRT_adapt_ndarray_to_python', 'descr' is NULL").
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Name = tuple[str, str]


def _modules() -> dict[str, ast.Module]:
    paths = sorted((ROOT / "bihuan" / "epi").rglob("*.py"))
    return {
        ".".join(p.relative_to(ROOT).with_suffix("").parts): ast.parse(p.read_text("utf-8")) for p in paths
    }


def _is_compiled(node: ast.FunctionDef) -> bool:
    return any("njit" in ast.dump(decorator) for decorator in node.decorator_list)


def _hands_back(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Return) and one.value is not None for one in ast.walk(node))


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each name of a module stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _named(module: str, tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Full names used in a module, and whether compiled code uses them."""
    imported = _imported(tree)

    def inside(node: ast.AST, compiled: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            here = compiled or (isinstance(child, ast.FunctionDef) and _is_compiled(child))
            if isinstance(child, ast.Name):
                yield imported.get(child.id, f"{module}.{child.id}"), here
            elif isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name):
                yield f"{imported.get(child.value.id, child.value.id)}.{child.attr}", here
            yield from inside(child, here)

    return inside(tree, compiled=False)


def test_what_hands_an_array_back_is_called_by_python_or_by_compiled_code_and_not_by_both():
    modules = _modules()
    compiled = {
        f"{module}.{node.name}"
        for module, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and _is_compiled(node) and _hands_back(node)
    }
    assert len(compiled) > 50
    users: dict[str, set[bool]] = defaultdict(set)
    for module, tree in modules.items():
        for name, by_compiled in _named(module, tree):
            if name in compiled:
                users[name].add(by_compiled)
    assert [name for name, by in sorted(users.items()) if len(by) > 1] == []
