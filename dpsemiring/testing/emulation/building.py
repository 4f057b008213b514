"""From CUDA C++ text to a host executable: g++, its flags, and a cache of what it built."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_HERE = Path(__file__).parent
_HEADERS = sorted(path.name for path in _HERE.glob("*.h"))

# Debug lines for messages; fixed addresses, so that addr2line can be asked about a bare address;
# no fortified longjmp, which takes a switch of stacks for an attack.
_FLAGS = ["-std=c++17", "-O1", "-g1", "-fno-pie", "-fno-rtti", "-fno-strict-aliasing"]
_FLAGS += ["-U_FORTIFY_SOURCE"]
_SEPARATE = ["-ffp-contract=off"]
_SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
_SANITIZE_KERNEL = [*_SANITIZE, "-fno-sanitize=vptr", "-fsanitize-sections=emulated_shared"]
_RACES_KERNEL = ["-fsanitize=thread", "--param=tsan-distinguish-volatile=1"]

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PARENTHESES = r"\((?:[^()]|\([^()]*\))*\)"
_KERNEL = re.compile(
    rf"\b__global__\s+(?:__launch_bounds__\s*{_PARENTHESES}\s*)?void\s+"
    rf"(?:__launch_bounds__\s*{_PARENTHESES}\s*)?(\w+)\s*\("
)
_DYNAMIC_SHARED = re.compile(
    rf"\bextern\s+__shared__\s+(?:(?:__align__|alignas)\s*{_PARENTHESES}\s*)?"
    r"([\w:\s]+?)\s+(\w+)\s*\[\s*\]\s*;"
)


class CompilationError(RuntimeError):
    """A compiler refused a text. ``log`` is what it said."""

    def __init__(self, summary: str, log: str) -> None:
        super().__init__(f"{summary}\n{log.strip()}")
        self.log = log


def missing_compiler() -> str | None:
    """Why CUDA text cannot be emulated on this machine, or None where it can."""
    if sys.platform != "linux":
        return f"the emulation needs Linux, and this is {sys.platform}"
    if shutil.which("g++") is None:
        return "the emulation needs g++, and there is none on PATH"
    return None


def kernel_names(source: str) -> tuple[str, ...]:
    """Names of the ``__global__`` functions in a text, in their order."""
    return tuple(dict.fromkeys(_KERNEL.findall(_COMMENT.sub(" ", source))))


def host_text(source: str) -> str:
    """The translation unit around a text: what g++ is given."""
    # C++ has no array that is declared in a function and sized at the launch.
    text = _DYNAMIC_SHARED.sub(
        lambda m: f"{m[1]}* const {m[2]} = ({m[1]}*)emulation::dynamic_shared;" + "\n" * m[0].count("\n"),
        source,
    )
    table = "".join(f'{{"{name}", [] {{ launch({name}); }}}}, ' for name in kernel_names(source))
    # Unnamed, so that static variables of inline functions and of others share one section.
    return (
        '#include "cuda_emulation.h"\n'
        f'namespace {{\n#line 1 "kernel.cu"\n{text}\n}}\n'
        '#line 1 "launcher.cpp"\n'
        '#include "cuda_launch.h"\n'
        f"namespace emulation {{ const Kernel kernels[] = {{{table}{{}}}}; }}\n"
    )


def build(source: str, *, sanitize: bool, races: bool, contract: bool, optimize: bool) -> Path:
    """Path of the executable for a text, built unless the cache holds it.

    Raises:
        CompilationError: there is no g++, or it refuses the text.
    """
    reason = missing_compiler()
    if reason:
        raise CompilationError("the text cannot be compiled", reason)
    kernel, parts, link = list(_FLAGS), list(_FLAGS), ["-no-pie"]
    if sanitize:
        # The scheduler itself is not instrumented: it walks over stacks and poisoned memory.
        kernel += _SANITIZE_KERNEL
        parts.append("-DEMULATION_ASAN")
        link += _SANITIZE
    if races:
        kernel += _RACES_KERNEL
    if not optimize:
        kernel.append("-O0")  # the last one counts
    # -O1 alone never looks for multiplications to fuse.
    kernel += ["-ffp-contract=fast", "-fexpensive-optimizations"] if contract else _SEPARATE
    if contract and platform.machine() in ("x86_64", "AMD64"):
        kernel.append("-mfma")
    names = ["cuda_scheduler.cpp", "cuda_main.cpp", *(["cuda_races.cpp"] if races else [])]

    text = host_text(source)
    executable = _cache() / _key([text, *kernel, *parts, *link, *map(_read, names)])
    if executable.exists():
        return executable
    with tempfile.TemporaryDirectory(dir=_cache()) as folder, ThreadPoolExecutor(2) as pool:
        kernel_file = Path(folder, "kernel.cpp")
        kernel_file.write_text(text)
        kernel_object = Path(folder, "kernel.o")
        main = pool.submit(_compile, kernel_file, kernel_object, kernel)
        objects = list(pool.map(lambda name: _cached_object(name, parts), names))
        main.result()
        linked = Path(folder, "program")
        command = ["g++", *link, str(kernel_object), *map(str, objects), "-ldl", "-o", str(linked)]
        _run(command)
        os.replace(linked, executable)
    return executable


def _cached_object(name: str, flags: Sequence[str]) -> Path:
    path = _cache() / (_key([_read(name), *flags]) + ".o")
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=_cache()) as folder:
            built = Path(folder, "part.o")
            _compile(_HERE / name, built, flags)
            os.replace(built, path)
    return path


def _compile(text: Path, built: Path, flags: Sequence[str]) -> None:
    _run(["g++", *flags, f"-I{_HERE}", "-c", str(text), "-o", str(built)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilationError("g++ refused the text", done.stderr)


def _read(name: str) -> str:
    return (_HERE / name).read_text()


def _key(parts: Sequence[str]) -> str:
    everything = [_compiler_version(), *map(_read, _HEADERS), *parts]
    return hashlib.sha256("\0".join(everything).encode()).hexdigest()[:32]


@functools.cache
def _compiler_version() -> str:
    done = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    return f"{shutil.which('g++')} {done.stdout}"


def _cache() -> Path:
    """`$DPSEMIRING_CACHE/emulation`, by default below the user's own cache folder."""
    base = os.environ.get("DPSEMIRING_CACHE")
    if base is None:
        user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        base = os.path.join(user, "dpsemiring")
    folder = Path(base, "emulation")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
