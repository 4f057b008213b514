"""A new target in one file: any declaration as plain Python loops, from the same cells as every other target.

`lower` gives a cell as a graph of some thirty operations over named leaves. A target says how each operation is
written, where the leaves are found, and in which order cells are taken; everything else is there. This one has the
forward pass; the backward pass and paths it takes from the interpreter.

    python examples/own_target.py
"""

import numpy as np

import dpsemiring as dp
from dpsemiring.algebra.expr import Node
from dpsemiring.lower.kernel import Kernel
from dpsemiring.lower.plan import make_plan
from dpsemiring.lower.text import Code, Writer, literal
from dpsemiring.run.reference import ReferenceEngine

# how an operation is written; whatever is not here is NumPy's function of the same name
WRITTEN = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "not": "not {}",
    "lt": "{} < {}", "le": "{} <= {}", "eq": "{} == {}", "ne": "{} != {}", "and": "{} and {}", "or": "{} or {}",
    "where": "{1} if {0} else {2}",
}  # fmt: skip


def python_text(recurrence) -> str:
    """The source of `cell(n, m, get, read, start)`: the values of all states of a cell, from those of earlier ones."""
    kernel = Kernel(make_plan(recurrence, "float64"))
    cell = kernel.plan.forward(starts=True)

    def constant(node: Node, shared: bool) -> str:
        return literal(node, "np.inf", "np.nan")

    code = Code(cell.roots, kernel.leaf, lambda leaf: False, constant)
    w = Writer()
    with w.block("def cell(n, m, get, read, start):"):
        for node in code.used:
            if node in cell.loads:
                d = cell.loads[node]
                source = f"get(n - {d.dn}, m - {d.dm}, {d.state}, {d.component})"
            elif node in cell.starts:
                source = f"start({kernel.plan.patterns[cell.starts[node]]}, n, m)"
            else:
                source = f"read({node.payload!r}, n, m)"
            w(f"{kernel.leaf(node)} = {source}")
        for s in code.cell:
            text = WRITTEN.get(s.op, f"np.{s.op}({', '.join(['{}'] * len(s.args))})")
            w(f"{s.name} = {text.format(*s.args)}")
        w(f"return {{{', '.join(f'{key}: {code[root]}' for key, root in cell.values.items())}}}")
    return w.text


class PythonEngine(ReferenceEngine):
    """The interpreter with its forward pass replaced by emitted text."""

    def __init__(self, recurrence):
        super().__init__(recurrence)
        space = {"np": np}
        exec(python_text(recurrence), space)
        self.cell = space["cell"]

    def forward(self, problem, ends):
        run = super().forward(problem, ends)
        for b, lattice in enumerate(run.kept):
            if problem.nan[b]:
                continue
            self._sweep(lattice, problem, b)
            for e in np.flatnonzero(ends.exist[b]):
                for c, value in enumerate(lattice.values[ends.n[b, e], ends.m[b, e], ends.state[b, e]]):
                    run.values[c][b, e] = value
        return run

    def _sweep(self, lattice, problem, b):
        """Row by row: no step leads back."""
        zero = lattice.numbers.zero
        lattice.values = {}

        def get(n, m, state, component):
            return np.float64(lattice.values.get((n, m, state), zero)[component])

        def read(leaf, n, m):
            if leaf.startswith("p."):
                return np.float64(lattice.numbers.params[lattice.numbers.trace.params[leaf[2:]]])
            return np.float64(lattice.site(int(leaf[4:]), n, m))

        def start(pattern, n, m):
            places = zip(pattern, (n, m), (lattice.rows, lattice.cols))
            return float(all(i is None or at == (i if i >= 0 else length + i) for i, at, length in places))

        with np.errstate(all="ignore"):
            for n, m in lattice.cells():
                found = self.cell(n, m, get, read, start)
                for k in self.recurrence.order:
                    lattice.values[n, m, k] = tuple(float(found[k, c]) for c in range(len(zero)))


def main():
    cost = np.random.default_rng(0).random((12, 15))
    for topology in (dp.topologies.dtw(), dp.topologies.affine_gap(0.5, 0.25), dp.topologies.subsequence_dtw()):
        for semiring in (dp.Tropical, dp.Softmin(0.1), dp.Sparsemin(0.1), dp.Counting):
            solver = dp.compile(topology, semiring)
            solver.engine = PythonEngine(solver.recurrence)
            total, wanted = solver(cost).total, dp.compile(topology, semiring, engine="reference")(cost).total
            print(f"{semiring.name:10} {total:16.6f} {wanted:16.6f}")
            assert np.isclose(total, wanted, rtol=1e-12)
    print(python_text(dp.compile(dp.topologies.dtw(), dp.Softmin(0.1)).recurrence))


if __name__ == "__main__":
    main()
