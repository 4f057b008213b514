"""Compiling CUDA C++ text for real GPUs, on a machine that has none."""

from __future__ import annotations

import ctypes
import functools
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dpsemiring.testing.emulation.building import CompilationError

Compiler = Literal["nvcc", "nvrtc"]


@dataclass(frozen=True)
class KernelUse:
    """What one kernel takes of an architecture, per thread and (shared memory) per block."""

    registers: int
    spill_stores: int
    spill_loads: int
    stack_bytes: int
    shared_bytes: int


@dataclass(frozen=True)
class Compiled:
    """The outcome for one architecture: the use of each kernel by name, and the compiler's log."""

    architecture: str
    compiler: Compiler
    kernels: dict[str, KernelUse]
    log: str


def missing_cuda_compiler() -> str | None:
    """Why text cannot be compiled for real GPUs here, or None where it can."""
    if shutil.which("nvcc") or _nvrtc() is not None:
        return None
    return "there is neither nvcc on PATH nor the NVRTC library (wheel nvidia-cuda-nvrtc)"


def compile_for(
    source: str,
    architectures: Sequence[str] = ("sm_75", "sm_80", "sm_90", "sm_120"),
    *,
    options: Sequence[str] = (),
    compiler: Compiler | None = None,
) -> dict[str, Compiled]:
    """Compiles a text for each architecture; no GPU and no driver is needed.

    Args:
        source: the text, taken as it is.
        architectures: names that ``-arch`` takes.
        options: further ones for the compiler, such as ``-fmad=false``.
        compiler: by default nvcc where it is on PATH, otherwise NVRTC.

    Returns:
        By architecture, registers, spilled bytes and memory of each kernel.

    Raises:
        CompilationError: there is no such compiler, or it refuses the text.
    """
    if compiler is None:
        compiler = "nvcc" if shutil.which("nvcc") else "nvrtc"
    if (_nvrtc() if compiler == "nvrtc" else shutil.which("nvcc")) is None:
        raise CompilationError("the text cannot be compiled", f"found no {compiler}")
    function = _by_nvrtc if compiler == "nvrtc" else _by_nvcc

    def one(architecture: str) -> Compiled:
        log = function(source, [f"-arch={architecture}", *options])
        return Compiled(architecture, compiler, _uses(log), log)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(architectures, pool.map(one, architectures), strict=True))


def _by_nvcc(source: str, options: Sequence[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "kernel.cu")
        text.write_text(source)
        command = ["nvcc", "-cubin", "-std=c++17", "-Xptxas", "-v", *options, text.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    log = done.stdout + done.stderr
    if done.returncode:
        raise CompilationError(f"nvcc {' '.join(options)} refused the text", log)
    return log


def _by_nvrtc(source: str, options: Sequence[str]) -> str:
    library = _nvrtc()
    assert library is not None
    given = ["-std=c++17", "--ptxas-options=-v", *options]
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    try:
        texts = (ctypes.c_char_p * len(given))(*(option.encode() for option in given))
        status = library.nvrtcCompileProgram(program, len(given), texts)
        size = ctypes.c_size_t()
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))
    written = log.value.decode(errors="replace")
    if status:
        raise CompilationError(f"NVRTC {' '.join(options)} refused the text", written)
    return written


@functools.cache
def _nvrtc() -> ctypes.CDLL | None:
    # By hand rather than through CuPy: it is six functions, and only one part of this library may
    # import CuPy.
    wheels = [found for folder in sys.path for found in glob.glob(os.path.join(folder, "nvidia", "*", "lib", "libnvrtc.so*"))]
    for name in [*sorted(wheels, reverse=True), "libnvrtc.so.13", "libnvrtc.so.12"]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _uses(log: str) -> dict[str, KernelUse]:
    """What ptxas -v reports, of each entry function."""
    uses = {}
    for part in log.split("Compiling entry function '")[1:]:
        counts = {
            name: int(found[1]) if (found := re.search(pattern, part)) else 0
            for name, pattern in {
                "registers": r"Used (\d+) registers",
                "spill_stores": r"(\d+) bytes spill stores",
                "spill_loads": r"(\d+) bytes spill loads",
                "stack_bytes": r"(\d+) bytes stack frame",
                "shared_bytes": r"(\d+) bytes smem",
            }.items()
        }
        uses[part.split("'")[0]] = KernelUse(**counts)
    return uses
