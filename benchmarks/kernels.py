"""Whether compilers for real GPUs take emitted kernels: topologies x semirings x kinds of number x architectures.

    python -m benchmarks.kernels [--write benchmarks/kernels.md]

needs nvcc or NVRTC, and no GPU. Each text has the kernels of one solver: forward, backward with every gradient, paths. A table
tells the most registers of a thread, what is spilled, and what of a thread's own arrays is put into memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from os import cpu_count
from pathlib import Path

import numpy as np

import dpsemiring as dp
from dpsemiring.lower.build import build
from dpsemiring.lower.cuda_text import Module, cuda_module
from dpsemiring.lower.forms import compiled_form
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import panels
from dpsemiring.lower.tangent import dual
from dpsemiring.run.gpu.choice import options, unspilled
from dpsemiring.testing.emulation import KernelUse, compile_for

t, Param = dp.topologies, dp.Param
SOFTMIN = dp.Softmin(Param("gamma", axes="b"))
TOPOLOGIES = {
    "dtw": t.dtw(),
    "dtw in a band": t.dtw().replace(window=dp.Window.sakoe_chiba(2.5)),
    "weighted_dtw": t.weighted_dtw(1.5, Param("stay", axes="m"), Param("both", axes="bnm")),
    "rabiner_juang 3a": t.rabiner_juang(3, "a"),
    "affine_gap": t.affine_gap(deletion="deletion"),
    "ctc": t.ctc(),
    "hmm": t.hmm(2),
}
SEMIRINGS = {
    "Tropical": dp.Tropical,
    "Softmin": compiled_form(SOFTMIN),
    "Softmin, logarithms": SOFTMIN,
    "Sparsemin": dp.Sparsemin(Param("gamma")),
    "Expectation": dp.Expectation(Param("gamma", axes="b")),
    "KBest": dp.KBest(3),
}
DUAL = "dual Softmin"  # of second derivatives: logarithms and their tangents
REALS = ("float32", "float64")
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_120")
OPTIONS = ("-ftz=true",)  # as CuPy compiles

# by topology and kind of number, for each semiring: the bytes that a kernel may spill, stores and loads together; no other spills
# any, since lanes get fewer columns where they would hold more (`run/gpu/choice.py`)
SPILLED = {
    ("weighted_dtw", "float32"): {DUAL: 60},
    ("weighted_dtw", "float64"): {"Softmin, logarithms": 150},
    ("affine_gap", "float64"): {"Softmin, logarithms": 250, "Expectation": 900, DUAL: 2200},
    ("ctc", "float64"): {"Softmin, logarithms": 30},
    ("hmm", "float64"): {DUAL: 850},
}

Cell = tuple[str, str, str, str]  # topology, semiring, kind of number, architecture
FULL: list[Cell] = list(product(TOPOLOGIES, [*SEMIRINGS, DUAL], REALS, ARCHITECTURES))


def cover() -> list[Cell]:
    """Every topology with every semiring, in one kind of number after the other and on one architecture after the other: each
    topology and each kind of number comes to all four, each semiring to both kinds and to all four."""
    found = []
    for i, topology in enumerate(TOPOLOGIES):
        for j, semiring in enumerate([*SEMIRINGS, DUAL] if i == 0 else SEMIRINGS):
            found.append((topology, semiring, REALS[(i + j // 2) % 2], ARCHITECTURES[(i + j) % 4]))
    return found


def spilled(cell: Cell) -> int:
    """The bytes that a kernel may spill."""
    topology, semiring, real, _ = cell
    return SPILLED.get((topology, real), {}).get(semiring, 0)


def module(topology: str, semiring: str, real: str) -> Module:
    """The text of a solver's kernels, with as many columns a lane as may be chosen."""
    if semiring == DUAL:
        recurrence = dual(build(TOPOLOGIES[topology], SOFTMIN))
    else:
        recurrence = build(TOPOLOGIES[topology], SEMIRINGS[semiring])
    most = max(unspilled(recurrence, np.dtype(real), options(recurrence)), key=lambda schedule: schedule.columns)
    plan = Plan(recurrence, panels(recurrence, most.columns), real)
    sites = tuple(i for i, site in enumerate(recurrence.sites) if site.role != "mask")
    backward = Wanted(sites, True) if recurrence.semiring.derivative else None
    return cuda_module(plan, forward=True, backward=backward, paths=plan.exact)


def compiled(cell: Cell) -> tuple[dict[str, KernelUse], str]:
    """What each kernel takes, and the compiler's log."""
    *of, architecture = cell
    text = module(*of)
    found = compile_for(text.text, [architecture], options=OPTIONS)[architecture]
    assert set(found.kernels) == set(text.kernels)
    return found.kernels, found.log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="a file for the table")
    given = parser.parse_args()
    with ThreadPoolExecutor(cpu_count()) as pool:
        found = dict(zip(FULL, pool.map(lambda cell: compiled(cell)[0], FULL)))
    text = "\n".join(table(found)) + "\n"
    print(text)
    if given.write:
        given.write.write_text(text)


def table(found: dict[Cell, dict[str, KernelUse]]) -> Iterable[str]:
    """By topology and semiring, the most over kinds of number and architectures."""
    count, kernels = len(found), sum(map(len, found.values()))
    without = sum(not any(lost(use) for use in each.values()) for each in found.values())
    yield (
        f"{count} texts with {kernels} kernels, as many columns a lane as may be chosen, every gradient, {' and '.join(REALS)}, "
        f"{', '.join(ARCHITECTURES)}, `{' '.join(OPTIONS)}`: {without} texts spill nothing. The most over architectures:"
    )
    yield ""
    yield "| topology | semiring | kind of number | registers: forward | backward | paths | spilled bytes | local bytes |"
    yield "|---" * 8 + "|"
    for of in product(TOPOLOGIES, [*SEMIRINGS, DUAL], REALS):
        uses = [(name, use) for cell, each in found.items() if cell[:3] == of for name, use in each.items()]
        registers = [max((u.registers for n, u in uses if n == name), default="") for name in ("forward", "backward", "paths")]
        memory = max(lost(use) for _, use in uses), max(use.stack_bytes for _, use in uses)
        yield f"| {' | '.join(map(str, [*of, *registers, *memory]))} |"


def lost(use: KernelUse) -> int:
    """Bytes that are spilled: stores and loads."""
    return use.spill_stores + use.spill_loads


if __name__ == "__main__":
    main()
