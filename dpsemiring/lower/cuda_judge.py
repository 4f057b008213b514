"""The CUDA target after a forward pass: which items hold what is refused, or pay more than their carrier holds."""

from __future__ import annotations

from dpsemiring.algebra.expr import var
from dpsemiring.lower.cuda_cells import DOUBLE, OPERATIONS, Braces, in_double, wrapped
from dpsemiring.lower.cuda_sources import Argument
from dpsemiring.lower.cuda_text import Module, kind_of_number
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.limits import exceeds, most_paid
from dpsemiring.lower.text import Code

CELLS = "cells"


def cuda_judge(recurrence: Recurrence, real: str, seen: tuple[int, ...]) -> Module:
    """The kernel `judge`, which marks such items NaN. Of the planes of the sites that are `seen` it takes the greatest size that
    each panel has met, as bits; of other sites what `sizes` tells, by name, in `all_size`."""
    planes = {recurrence.sites[i].name: i for i in seen}
    sizes: list = []
    for i, site in enumerate(recurrence.sites):
        own = planes.get(site.name, i) if site.role == "cost" else i
        sizes.append(0.0 if site.role == "mask" else var(f"size{own}"))
    trace = recurrence.semiring.trace
    limits = () if trace.limits is None else (exceeds(most_paid(recurrence, sizes), var(CELLS), trace.limits),)
    names = {leaf: f"p{k}" for k, leaf in enumerate(trace.params.values())}
    code = Code(
        list(limits), lambda leaf: names.get(leaf, leaf.payload), lambda leaf: False, lambda node, shared: in_double(node)
    )
    bits = [f"size{i}" for i in seen]
    others = [name for leaf in code.used if (name := names.get(leaf, leaf.payload)) not in (*bits, CELLS)]

    args = [Argument("i64", "items"), Argument("i64", "panels"), Argument("bool*", "nan"), Argument("double", CELLS)]
    args += [Argument("const I*", f"most{i}") for i in seen]
    args += [a for x in others for a in (Argument("const double*", f"all_{x}"), Argument("i64", f"own_{x}"))]
    w = Braces()
    w("// Emitted by dpsemiring; do not edit.", *kind_of_number(real))
    w("", 'extern "C" __global__ void judge(', *wrapped(args))
    with w.block(")"):
        w("const i64 thread = blockIdx.x * i64(blockDim.x) + threadIdx.x, warps = gridDim.x * i64(blockDim.x) / 32;")
        with w.block("for (i64 b = thread / 32; b < items; b += warps)"):
            w("bool lost = false;")
            for i in seen:
                w(f"I bits{i} = 0;")
                w(f"for (i64 p = thread % 32; p < panels; p += 32) bits{i} = max(bits{i}, most{i}[b * panels + p]);")
                w("#pragma unroll")
                w(f"for (int far = 16; far > 0; far /= 2) bits{i} = max(bits{i}, __shfl_xor_sync(0xffffffffu, bits{i}, far));")
                w(f"const double size{i} = of_bits(bits{i});")
                w(f"lost |= bits{i} >= to_bits(F(INF));  // beyond infinity are NaN")
            w(*(f"const double {x} = all_{x}[b * own_{x}];" for x in others))
            for s in code.cell:
                w(f"const {DOUBLE[s.kind]} {s.name} = {OPERATIONS[s.op].format(*s.args, f='', d='d')};")
            w(*(f"lost |= {code[root]};" for root in limits))
            w("if (lost && thread % 32 == 0) nan[b] = true;")
    return Module(w.text, {"judge": tuple(args)}, seen)
