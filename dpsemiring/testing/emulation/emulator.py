"""Launching emulated kernels on NumPy arrays."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from dpsemiring.testing.emulation.building import build, kernel_names

Order = Literal["ascending", "descending", "shuffled"]
#: Every schedule that ``Emulated.launch`` knows.
ORDERS: tuple[Order, ...] = get_args(Order)

_MOST_THREADS = 1024
_MOST_SHARED_BYTES = 227 * 1024
_ALIGNMENT = 256
_SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0:exitcode=4:color=never",
    "UBSAN_OPTIONS": "print_stacktrace=0:color=never",
}


class EmulationError(RuntimeError):
    """An emulated kernel did what CUDA forbids; the message says which thread did what."""


class Emulated:
    """CUDA C++ text that runs on the CPU.

    Threads of a block are fibers, blocks run one after another. A divergent barrier and a shuffle
    or ballot without one of the lanes in its mask always raise. Shared memory starts as garbage:
    NaN as float or double.

    Args:
        source: text with ``extern "C" __global__ void`` kernels, and without includes. As with
            NVRTC, INFINITY and NAN are not known. Parameters are pointers and numbers.
        sanitize: raise at out-of-bounds accesses to arrays, shared memory and local arrays, and at
            undefined arithmetic, such as signed overflow.
        races: raise where two threads touch the same bytes, one of them writing, with no barrier
            between, whatever the schedule. Not together with ``sanitize``.
        contract: let the compiler fuse multiplications and additions, as nvcc does by default.
        optimize: False builds in half the time, for texts that run briefly.

    Raises:
        CompilationError: there is no g++, or it refuses the text.
        ValueError: ``sanitize`` and ``races`` together, or no kernel in the text.

    Notes:
        A race shows up as a result that depends on the order, if any order happens to expose it,
        or for certain with ``races``. Not modelled: blocks that run at once (a block that waits
        for a later one never ends), inline PTX, textures, tensor cores, the rounding of fast math.
        Stricter than CUDA: threads meet on one line of the text, and those that have ended are
        missing at a barrier. Executables are cached in ``$DPSEMIRING_CACHE/emulation``.

    >>> import numpy as np
    >>> text = '''
    ... extern "C" __global__ void twice(const float* x, float* y, int n) {
    ...     int i = blockIdx.x * blockDim.x + threadIdx.x;
    ...     if (i < n) y[i] = 2.0f * x[i];
    ... }'''
    >>> x, y = np.arange(5, dtype=np.float32), np.empty(5, np.float32)
    >>> Emulated(text).launch("twice", 2, 4, x, y, 5)
    >>> y
    array([0., 2., 4., 6., 8.], dtype=float32)
    """

    def __init__(
        self,
        source: str,
        *,
        sanitize: bool = False,
        races: bool = False,
        contract: bool = False,
        optimize: bool = True,
    ) -> None:
        if sanitize and races:
            raise ValueError("sanitize and races exclude each other: make one Emulated for each")
        if contract and not optimize:
            raise ValueError("contract needs optimize: without it nothing is fused")
        self.source = source
        self.kernels = kernel_names(source)
        if not self.kernels:
            raise ValueError('found no kernel; expected extern "C" __global__ void name(...)')
        self._executable = build(source, sanitize=sanitize, races=races, contract=contract, optimize=optimize)

    def launch(
        self,
        kernel: str,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        *args: Any,
        shared_bytes: int = 0,
        order: Order = "ascending",
        seed: int = 0,
        timeout: float = 60.0,
    ) -> None:
        """Runs a kernel to its end; arrays that it may write are changed in place.

        Args:
            kernel: its name.
            grid: number of blocks, one to three extents.
            block: threads per block, one to three extents, at most 1024 in all.
            *args: one for each parameter. A C-contiguous NumPy array of the declared item type for
                a pointer, or None for a null pointer; an array given twice is one array. A NumPy
                scalar of just the declared type (a real launch would not convert it), or a Python
                number, which is converted.
            shared_bytes: size of the dynamic shared memory.
            order: which thread goes on where several can, and which block comes first: always the
                lowest, always the highest, or changing at random.
            seed: of the shuffled order.
            timeout: seconds after which a kernel counts as hanging.

        Raises:
            EmulationError: a fault, an argument that does not fit its parameter, a crash, a hang.
            TypeError, ValueError: an argument that no kernel could take.
        """
        if kernel not in self.kernels:
            raise ValueError(f"no kernel {kernel!r}; the text has {', '.join(self.kernels)}")
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}; expected one of {', '.join(ORDERS)}")
        blocks, threads = _extents("grid", grid), _extents("block", block)
        if int(np.prod(threads)) > _MOST_THREADS:
            raise ValueError(f"block is {threads}; expected at most {_MOST_THREADS} threads in all")
        if not 0 <= shared_bytes <= _MOST_SHARED_BYTES:
            raise ValueError(f"shared_bytes is {shared_bytes}; expected 0 to {_MOST_SHARED_BYTES}")
        arrays = _Arrays()
        described = [_describe(index, value, arrays) for index, value in enumerate(args)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "arrays")
            arrays.write(file)
            command = [str(self._executable), kernel]
            command += [",".join(map(str, extents)) for extents in (blocks, threads)]
            command += [str(shared_bytes), order, str(seed % 2**64), str(file), *described]
            fault = _run(command, timeout)
            if fault is not None:
                raise EmulationError(
                    f"kernel {kernel}, grid {blocks}, block {threads}, order {order}"
                    f"{f', seed {seed}' if order == 'shuffled' else ''}: {fault}"
                )
            arrays.read(file)


class _Arrays:
    """The distinct arrays of one launch, and where each lies in the file that carries them."""

    def __init__(self) -> None:
        self._placed: list[tuple[np.ndarray, int]] = []
        self._end = 0

    def place(self, index: int, array: np.ndarray) -> int:
        for other, offset in self._placed:
            if np.may_share_memory(array, other):
                if array.ctypes.data == other.ctypes.data and array.nbytes == other.nbytes:
                    return offset
                raise ValueError(f"argument {index + 1} overlaps an earlier array without being the same one")
        offset = self._end
        self._placed.append((array, offset))
        self._end += -(-max(array.nbytes, 1) // _ALIGNMENT) * _ALIGNMENT
        return offset

    def write(self, path: Path) -> None:
        with open(path, "wb") as file:
            for array, offset in self._placed:
                file.seek(offset)
                array.tofile(file)
            file.truncate(self._end)

    def read(self, path: Path) -> None:
        for array, offset in self._placed:
            if array.flags.writeable:
                found = np.fromfile(path, array.dtype, array.size, offset=offset)
                np.copyto(array, found.reshape(array.shape))


def _describe(index: int, value: Any, arrays: _Arrays) -> str:
    """An argument as the executable's command line has it; see cuda_main.cpp."""
    if value is None:
        return "null"
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous or not value.dtype.isnative or value.dtype.hasobject:
            raise ValueError(f"argument {index + 1} is not a C-contiguous array of plain native numbers")
        access = "w" if value.flags.writeable else "r"
        kind, size = value.dtype.kind, value.dtype.itemsize
        return f"array:{kind}:{size}:{value.nbytes}:{arrays.place(index, value)}:{access}"
    if isinstance(value, np.generic) and value.dtype.kind in "fiub":
        number = float(value).hex() if value.dtype.kind == "f" else str(int(value))
        return f"{value.dtype.kind}{value.dtype.itemsize}:{number}"
    if isinstance(value, int):
        return f"int:{int(value)}"
    if isinstance(value, float):
        return f"real:{value.hex()}"
    raise TypeError(f"argument {index + 1} is a {type(value).__name__}; expected an array, a number or None")


def _extents(name: str, given: int | Sequence[int]) -> tuple[int, int, int]:
    extents = (given,) if isinstance(given, (int, np.integer)) else tuple(given)
    if not 1 <= len(extents) <= 3 or any(extent < 1 for extent in extents):
        raise ValueError(f"{name} is {given}; expected one to three extents of at least 1")
    x, y, z = (*map(int, extents), 1, 1)[:3]
    return x, y, z


def _run(command: list[str], timeout: float) -> str | None:
    """Runs one launch in a process of its own, and returns what went wrong, if anything."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, **_SANITIZER_OPTIONS},
        )
    except subprocess.TimeoutExpired:
        return f"not at its end after {timeout:g} s; does it poll for what never comes?"
    sys.stdout.write(done.stdout)  # the kernel's own printf
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        hint = ": a wild address, or over 256 KiB of local variables; sanitize=True may say where"
        return f"ended by {name}{hint if name == 'SIGSEGV' else ''}"
    return _with_lines(command[0], _without_noise(done.stderr))


def _without_noise(report: str) -> str:
    """A sanitizer's report down to what concerns the kernel; other messages as they are."""
    if "AddressSanitizer" in report:
        wanted = r"^(?:bad access| *at byte|.*ERROR:|READ|WRITE| *#.*kernel\.cu).*"
        kept = re.findall(wanted, report, re.MULTILINE)
        report = "\n".join(line.removeprefix("=").lstrip("=0123456789") for line in kept)
    return re.sub(r"\S*/kernel\.cu", "kernel.cu", report).strip()


def _with_lines(executable: str, message: str) -> str:
    """Code addresses in a message replaced by lines of the kernel text, where binutils allows."""
    tool = shutil.which("addr2line")

    def line(match: re.Match[str]) -> str:
        call = int(match[1], 16) - 1  # the address is the one that the call returns to
        found = subprocess.run([str(tool), "-e", executable, hex(call)], capture_output=True, text=True, check=False)
        return "line " + found.stdout.split(" ")[0].strip().rpartition(":")[2]

    return re.sub(r"\[code (0x[0-9a-f]+)\]", line, message) if tool else message
