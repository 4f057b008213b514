"""What a GPU has to do for a cell: the instructions of compiled kernels counted, the bytes, and the bound that follows.

    python -m benchmarks.instructions [--architecture sm_90] [--write benchmarks/instructions.md]

needs nvcc and nvdisasm (wheels nvidia-cuda-nvcc and nvidia-cuda-nvdisasm), and no GPU. Counted are the loops over time where
nothing is special: no end, all of a lane's columns within the lattice and loaded at once; of the sweep with starts and that
without the longer one. The bound is what one H100 could do if nothing ever waited: a prediction, not a measurement. Memory is
told from the shapes by which a call makes its arrays.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import dpsemiring as dp
from benchmarks.gpu import memory
from dpsemiring.lower.build import build
from dpsemiring.lower.cuda_cells import Sweeps
from dpsemiring.lower.cuda_text import cuda_module
from dpsemiring.lower.cuda_whole import JOINED, cuda_whole
from dpsemiring.lower.forms import compiled_form, over
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import LANES, panels

CASES = {
    "soft-DTW": (dp.topologies.dtw, dp.Softmin(1.0), (1, 2, 4)),
    "soft-DTW, sparsemin": (dp.topologies.dtw, dp.Sparsemin(1.0), (2, 4)),
    "DTW": (dp.topologies.dtw, dp.Tropical, (2, 4)),
    "CTC": (dp.topologies.ctc, dp.Softmin(1.0), (2, 4)),
    "affine gaps, softmin": (dp.topologies.affine_gap, dp.Softmin(1.0), (1,)),
}
# an H100 SXM: multiprocessors, cycles a second, bytes a second; of a multiprocessor the instructions of whole warps a cycle,
# and the lanes a cycle of its unit for special functions and conversions
PROCESSORS, CLOCK, BANDWIDTH = 132, 1.755e9, 3.35e12
ISSUED, SPECIAL = 4, 16
FROM_SERIES = (32, 1024, 1024), 64  # items, rows, columns; features
KINDS = {
    "special": r"MUFU|F2I|I2F|FRND|F2F|POPC|FLO|BREV",
    "float": r"F(ADD|MUL|FMA|SEL|SETP|MNMX|CHK|SET|SWZADD)|D(ADD|MUL|FMA|SETP)",
    "shuffle": r"SHFL|VOTE",
    "memory": r"LD|ST|RED|ATOM|CCTL",
    "whole": r"",
}
USUAL = [  # what is left of a text where nothing is special
    (r"\} else \{\s+#pragma unroll\s+for \(int c = 0; c < COLUMNS; c\+\+\) to\[c\] = [^}]*\}", "} else { __trap(); }"),
    (r"\} else \{\s+#pragma unroll\s+for \(int c = 0; c < COLUMNS; c\+\+\)\s+if \(held[^}]*\}", "} else { __trap(); }"),
    (r"for \(i64 e = ends.first\(n, z.left\); ends.at\(e, n, z.left\); e\+\+\)", "__trap(); for (int e = 0; e < 0; e++)"),
    (r"if \(S0.lattice\)", "if (false)"),
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--architecture", default="sm_90")
    options.add_argument("--write", type=Path, help="a file for the table")
    given = options.parse_args()
    table = [*_head(given.architecture), *(row for name in CASES for row in _rows(name, given.architecture))]
    table = "\n".join([*table, *_features(given.architecture), *_memory()]) + "\n"
    print(table)
    if given.write:
        given.write.write_text(table)


def _head(architecture):
    compiler = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout.split("release ")[1]
    return [
        f"Instructions a cell, float32, {architecture}, nvcc {compiler.split(',')[0]}, `-ftz=true`; bounds for an H100 SXM "
        f"({PROCESSORS} multiprocessors, {CLOCK / 1e9:g} GHz, {BANDWIDTH / 1e12:g} TB/s), computed, not measured.",
        "",
        "| kernel | columns of a lane | loop | all | " + " | ".join(KINDS) + " | bytes a cell | bound, Gcells/s |",
        "|---" * (6 + len(KINDS)) + "|",
    ]


def _features(architecture):
    """What sums over features come to, for each cell and feature."""
    (items, rows, cols), depth = FROM_SERIES
    yield from ["", "## Squared differences of frames", "", "Instructions for each cell and feature, float32."]
    yield from ["", "| columns of a lane | loop | all | " + " | ".join(KINDS) + " |", "|---" * (3 + len(KINDS)) + "|"]
    for columns in (1, JOINED):
        loops = _loops(_compiled(cuda_whole(("differences",), "float32", columns).text, architecture), "FFMA")
        total = 0.0
        for kernel, loop in (("make", "the cost"), ("columns0", "back to columns"), ("rows0", "back to rows")):
            body = max(loops[kernel], key=lambda body: sum("FFMA" in x for x in body))
            terms = sum("FFMA" in x for x in body)  # one for each cell and feature
            counts = _by_kind(body, 1 / terms)
            total += counts.total()
            numbers = " | ".join(f"{counts[kind]:.2f}" for kind in KINDS)
            yield f"| {columns} | {loop} | {counts.total():.2f} | {numbers} |"
    seconds = items * rows * cols * depth * total / LANES / (ISSUED * CLOCK * PROCESSORS)
    yield ""
    yield (
        f"{items} x {rows} x {cols} with {depth} features, made once as a whole and taken back to both series: "
        f"{1e3 * seconds:.2f} ms if nothing ever waited, beside the sweeps."
    )


def _memory():
    about = (
        f"Forward and backward, on {PROCESSORS} multiprocessors, as a share of the cost: values between panels and spans, a "
        "span's for each warp of the way back, flows between panels. On the right with a bound, and how much longer that is "
        "predicted to take."
    )
    return ["", "## Memory", "", about, "", *memory(PROCESSORS)]


def _rows(name, architecture):
    topology, semiring, columns = CASES[name]
    recurrence = over(build(topology(), semiring), compiled_form(semiring))
    costs = tuple(i for i, site in enumerate(recurrence.sites) if site.role == "cost")
    for each in columns:
        plan = Plan(recurrence, panels(recurrence, each), "float32")
        text = cuda_module(plan, forward=True, backward=Wanted(costs)).text
        loops = _loops(_compiled(_usual(text), architecture))
        ahead, back = (_longest(plan, [x for x in loops["backward"] if _back(x) is is_back]) for is_back in (False, True))
        parts = [
            ("forward", _longest(plan, loops["forward"]), _bytes(plan, costs, "forward")),
            ("backward: again", ahead, 0.0),
            ("backward: back", back, _bytes(plan, costs, "backward")),
        ]
        both = sum((counts for _, counts, _ in parts), Counter())
        parts.append(("forward and backward", both, sum(size for *_, size in parts)))
        for loop, counts, size in parts:
            numbers = " | ".join(f"{counts[kind]:.1f}" for kind in KINDS)
            bound = "" if ":" in loop else f"{_bound(counts, size) / 1e9:.0f}"
            shown = f"{size:.1f}" if size else ""
            yield f"| {name} | {plan.schedule.columns} | {loop} | {counts.total():.1f} | {numbers} | {shown} | {bound} |"


def _usual(text: str) -> str:
    for old, new in USUAL:
        text, count = re.subn(old, new, text)
        assert count, f"the text no longer has {old}"
    return text


def _compiled(text: str, architecture: str) -> str:
    """The machine code, as text."""
    tool = shutil.which("nvdisasm") or next((str(p) for x in sys.path for p in Path(x).glob("nvidia/*/bin/nvdisasm")), None)
    if tool is None:
        sys.exit("instructions: nvdisasm is missing; it comes with the CUDA toolkit, or: pip install nvidia-cuda-nvdisasm")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.cu").write_text(text)
        command = ["nvcc", "-cubin", "-std=c++17", "-ftz=true", f"-arch={architecture}", "-o", "kernel.cubin", "kernel.cu"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return subprocess.run([tool, "-c", "-ndf", "kernel.cubin"], cwd=folder, check=True, capture_output=True, text=True).stdout


def _loops(machine_code: str, holds: str = "SHFL") -> dict[str, list[list[str]]]:
    """By kernel, the instructions of its innermost loops that hold some: those over time shuffle."""
    found: dict[str, list[list[str]]] = {}
    for part in re.split(r"\n\s*\.section\s+\.text\.", machine_code)[1:]:
        kernel, labels, code = re.match(r"\w+", part)[0], {}, []
        for line in part.splitlines():
            if label := re.match(r"\s*(\.L_x_\d+):", line):
                labels[label[1]] = len(code)
            elif instruction := re.match(r"\s*/\*[0-9a-f]+\*/\s+(.*?)\s*;", line):
                code.append(instruction[1])
        back = [(labels.get(m[1], len(code)), i) for i, x in enumerate(code) if (m := re.search(r"BRA.*?`\((\.L_x_\d+)\)", x))]
        loops = [(a, b) for a, b in back if a <= b and any(holds in x for x in code[a:b])]
        inner = [(a, b) for a, b in loops if not any((c, d) != (a, b) and a <= c and d <= b for c, d in loops)]
        bodies = [code[a : b + 1] for a, b in inner]
        # not: where lanes of a warp have parted, and where a warp takes its next panel
        found[kernel] = [body for body in bodies if not any(re.search("WARPSYNC|ATOM", x) for x in body)]
    return found


def _back(body: list[str]) -> bool:
    return any("SHFL.DOWN" in x for x in body)


def _longest(plan: Plan, loops: list[list[str]]) -> Counter:
    """The instructions a cell of that loop which has most."""
    return max((_count(plan, body) for body in loops), key=Counter.total)


def _count(plan: Plan, body: list[str]) -> Counter:
    """The instructions a cell, by kind. How many times a loop goes through at once, its shuffles tell: two for each number
    that comes from the lane beside."""
    numbers = len(plan.recurrence.semiring.trace.moving) if _back(body) else len(plan.kinds)
    times = sum("SHFL" in x for x in body) / (2 * numbers * len(Sweeps(plan).outside_lane))
    return _by_kind(body, 1 / (plan.schedule.columns * times))


def _by_kind(body: list[str], each: float) -> Counter:
    counts: Counter = Counter()
    for instruction in body:
        op = re.sub(r"^@!?U?P\w+\s+", "", instruction)
        counts[next(kind for kind, pattern in KINDS.items() if re.match(pattern, op))] += each
    return counts


def _bytes(plan: Plan, costs: tuple[int, ...], job: str) -> float:
    """Bytes a cell to and from the GPU's memory: costs, their gradient, what is saved and handed on; not the rows of a span,
    which stay in the cache."""
    s, parts, states = plan.schedule, len(plan.kinds), len(plan.recurrence.states)
    saved = parts * s.halo * states * (s.margin + s.columns) / (s.height * s.columns)
    border = parts * s.margin * states / (LANES * s.columns)
    planes = len({plan.recurrence.sites[i].name for i in costs})
    if job == "forward":
        return 4 * (planes + saved + 2 * border)
    flows = len(plan.recurrence.semiring.trace.moving) * s.margin * states / (LANES * s.columns)
    return 4 * (planes + len(costs) + saved + border + 2 * flows)


def _bound(counts: Counter, size: float) -> float:
    """Cells a second."""
    cycles = max(counts.total() / ISSUED / LANES, counts["special"] / SPECIAL) / PROCESSORS
    return min(CLOCK / cycles, BANDWIDTH / size)


if __name__ == "__main__":
    main()
