"""The house: who may import whom, where heavy libraries live, and that no method is named in the engine."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import dpsemiring as dp

PACKAGE = Path(dp.__file__).parent

# room -> rooms that it may import, beside itself
MAY_IMPORT = {
    "algebra": set(),
    "declare": set(),
    "topologies": {"declare"},
    "lower": {"declare", "algebra"},
    "run": {"lower", "declare", "algebra"},
    "api": {"run", "lower", "declare", "algebra"},
    "torch": {"api", "run", "lower", "declare", "algebra", "topologies"},
    "diagnostics": {"api"},
    "plot": {"api"},
    "testing": {"api", "run", "lower", "declare", "algebra", "topologies"},
}
# files in rooms that are held to less than their room: the witnesses must not share code with the compiler
WITNESSES = {"lattice.py", "paths.py", "witness.py"}
HEAVY = {
    "numba": "run/cpu",
    "llvmlite": "run/cpu",
    "cupy": "run/gpu",
    "torch": "torch",
    "matplotlib": "plot.py",
    "hypothesis": "testing/strategies.py",
}


def sources():
    return sorted(p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts)


def room_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path):
    """(module, whether type checkers alone see it) for each import in a file, wherever it stands."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(n)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for n in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = room_of(path)
    if room == "__init__":
        return
    allowed = MAY_IMPORT[room] | {room}
    if path.name in WITNESSES and room == "testing":
        allowed = {"declare", "algebra", "testing"}
    rooms = {p.name.removesuffix(".py") for p in PACKAGE.iterdir()}
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "dpsemiring" and len(parts) > 1 and parts[1] in rooms:
            assert parts[1] in allowed, f"{path.relative_to(PACKAGE)} must not import {name}"


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_libraries_have_one_room(library):
    at_home = PACKAGE / HEAVY[library]
    for path in sources():
        if path == at_home or at_home in path.parents:
            continue
        assert all(name.split(".")[0] != library for name in imports(path)), f"{path} imports {library}"


def named_things():
    """Built-in semirings, which are objects or functions with a capital, and presets; in lower case, but for names that
    are also words of the engine: a logarithm, kinds of numbers."""
    capitals = {n for n in dp.__all__ if n[0].isupper()}
    functions = {n for n in capitals if inspect.isfunction(getattr(dp, n)) and n != "Semiring"}
    semirings = functions | {n for n in capitals if isinstance(getattr(dp, n), dp.Semiring)}
    return {n if n in ("Log", "Real", "Boolean") else n.lower() for n in semirings | set(dp.topologies.__all__)}


@pytest.mark.parametrize("room", ["lower", "run"])
def test_the_engine_names_no_semiring_and_no_preset(room):
    names = named_things()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            words = []
            if isinstance(node, ast.Name):
                words = [node.id]
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) != "types":  # Numba's types.Boolean
                words = [node.attr]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                words = [node.value]
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                words = [a.name for a in node.names]
            for word in words:
                assert not {word, word.lower()} & names, f"{path.relative_to(PACKAGE)}:{node.lineno} names {word}"


def test_the_check_for_names_finds_them():
    assert {"tropical", "softmin", "kbest", "entropy", "Real", "Log", "dtw", "ctc", "affine_gap"} <= named_things()


def test_import_needs_numpy_alone():
    code = (
        "import sys, dpsemiring; "
        "heavy = {'numba', 'llvmlite', 'torch', 'cupy', 'matplotlib', 'hypothesis', 'scipy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
