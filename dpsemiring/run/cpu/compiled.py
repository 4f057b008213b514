"""Compiled functions that are cached as machine code alone.

Numba caches a function's bitcode beside its machine code, so that other functions can be built with it; to read it
takes half of the time in which a function is loaded. What is defined here is called, from Python or by an address,
and built into nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numba
from llvmlite import binding
from numba import njit
from numba.core import caching, sigutils
from numba.core.ccallback import CFunc

import dpsemiring

__all__ = ["c_function", "called"]


class _MachineCode(caching.CompileResultCacheImpl):
    def reduce(self, cres):
        found = list(super().reduce(cres))
        name, kind, (code, bitcode) = found[0]
        return (name, kind, (code, _names(bitcode))), *found[1:]


def _names(bitcode: bytes) -> bytes:
    """Bitcode that defines what the other does, and nothing else: Numba finds a function in machine code by its name there."""
    module = binding.parse_bitcode(bitcode)
    own = binding.Linkage.private, binding.Linkage.internal
    functions = [f'define void @"{f.name}"() {{ ret void }}' for f in module.functions if not f.is_declaration]
    variables = [f'@"{v.name}" = global i8 0' for v in module.global_variables if not v.is_declaration and v.linkage not in own]
    return binding.parse_assembly("\n".join(functions + variables)).as_bitcode()


@lru_cache(maxsize=1)
def support() -> str:
    """A hash of all that is compiled into functions beside their own text: a change of this room makes what is cached old."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    return sha256("\0".join([numba.__version__, dpsemiring.__version__, *texts]).encode()).hexdigest()


class _Cache(caching.FunctionCache):
    _impl_class = _MachineCode

    def __init__(self, function):
        super().__init__(function)
        file = self._cache_file
        file._source_stamp = file._source_stamp, support()


def called(**options) -> Callable:
    """As ``njit(**options)``, cached."""

    def decorate(function):
        dispatcher = njit(**options | {"cache": False})(function)
        dispatcher._cache = _Cache(function)
        return dispatcher

    return decorate


def c_function(signature: str, **options) -> Callable:
    """As ``cfunc(signature, **options)``, cached."""

    def decorate(function):
        callback = CFunc(function, sigutils.normalize_signature(signature), locals={}, options=options)
        callback._cache = _Cache(function)
        callback.compile()
        return callback

    return decorate
