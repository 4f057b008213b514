"""CUDA C++ text without a GPU: run on the CPU by ``Emulated``, compiled by ``compile_for``."""

from dpsemiring.testing.emulation.architectures import Compiled, KernelUse, compile_for, missing_cuda_compiler
from dpsemiring.testing.emulation.building import CompilationError, missing_compiler
from dpsemiring.testing.emulation.emulator import ORDERS, Emulated, EmulationError

__all__ = [
    "ORDERS",
    "CompilationError",
    "Compiled",
    "Emulated",
    "EmulationError",
    "KernelUse",
    "compile_for",
    "missing_compiler",
    "missing_cuda_compiler",
]
