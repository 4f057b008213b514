"""Emitted source on disk: a file named by its hash, imported from there, so that a second process loads it.

The folder is ``$DPSEMIRING_CACHE``, else ``$XDG_CACHE_HOME/dpsemiring``, else ``~/.cache/dpsemiring``. Where it
cannot be written, kernels are compiled in a folder of this process alone, with a warning.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from types import ModuleType

_loaded: dict[str, ModuleType] = {}
_lock = threading.RLock()


def cache_folder() -> Path:
    """Where emitted source is kept."""
    if own := os.environ.get("DPSEMIRING_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dpsemiring"


def digest(text: str, *context: str) -> str:
    """The name of a text: a hash of it and of all that it is compiled with."""
    h = hashlib.sha256()
    for part in (text, *context):
        h.update(part.encode())
        h.update(b"\0")
    return h.hexdigest()[:24]


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that no other process ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_source(text: str, name: str, *context: str) -> ModuleType:
    """The module that a text defines, imported from the cache folder."""
    key = f"{name}_{digest(text, *context)}"
    with _lock:
        if key not in _loaded:
            _loaded[key] = _import(key, text)
        return _loaded[key]


def _import(key: str, text: str) -> ModuleType:
    path = cache_folder() / f"{key}.py"
    try:
        if not path.exists():
            write_atomically(path, text)
    except OSError as error:
        folder = tempfile.mkdtemp(prefix="dpsemiring-")
        warnings.warn(
            f"the kernel cache {path.parent} cannot be written ({error}); compiling for this process alone. "
            "Set DPSEMIRING_CACHE to a folder of yours",
            stacklevel=2,
        )
        path = Path(folder) / path.name
        write_atomically(path, text)
    module_name = f"_dpsemiring_{key}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # before it runs: Numba looks its functions' module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
