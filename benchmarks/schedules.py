"""The model by which a schedule is chosen (`dpsemiring.run.cpu.choice`): its numbers, measured, and what its choices lose."""

from __future__ import annotations

from benchmarks import alone, report
from dpsemiring.run.cpu.choice import STRIP_NS, VECTOR_NS

# items, rows, columns: lattices by which the model is fitted, and others
FITTED = {"skewed": ("dtw()", (20, 500, 500)), "rows": ("ctc()", (1, 4000, 801)), "abreast": ("dtw()", (128, 128, 100))}
MANY, FEW = (256, 20, 20), (64, 20, 20)
SHAPES = {
    "dtw()": [FEW, MANY, (1, 20, 20), (1, 40, 40), (1, 40, 400), (1, 200, 200), (1, 4000, 4000), (16, 30, 30), (16, 100, 100)]
    + [(64, 60, 60), (128, 128, 100), (64, 300, 300), (16, 30, 2000), (20, 500, 500)],
    "ctc()": [(1, 100, 41), (16, 100, 41), (16, 500, 201), (4, 1000, 1201), (1, 4000, 801), (1, 4000, 2401), (1, 8000, 8001)],
}


def study(settings, options) -> dict:
    """Tables: ns by vector and strip for each schedule, and for each shape the schedules and the one that is chosen."""
    found: dict = {}
    for name, shapes in SHAPES.items():
        head = [f"{name}: items, rows, columns", *(f"{kind} {height}, us" for kind, height in VECTOR_NS), "chosen", "loses, %"]
        rows = []
        for shape in shapes[:3] if settings.quick else shapes:
            times, chosen = alone.run(settings, f"schedules:every({name!r}, {shape})") or ({}, None)
            found[f"{name} {shape}"] = {"us": times, "chosen": chosen}
            loss = None if chosen not in times else 100.0 * (times[chosen] / min(times.values()) - 1.0)
            row = [times.get(f"{kind} {height}") for kind, height in VECTOR_NS]
            rows.append([" x ".join(map(str, shape)), *row, chosen, loss])
        print(report.table(head, rows), flush=True)
    found["fitted"] = _fitted(found)
    print(report.table(["the model, ns", "now", "measured here"], found["fitted"]), flush=True)
    return found


def _fitted(found) -> list[list]:
    """What a vector takes by schedule, from large lattices and batches, and a strip, from small lattices: by how much more of
    them take longer, which leaves out what a call takes."""

    def ns(name, shape, kind, height):
        return found.get(f"{name} {shape}", {}).get("us", {}).get(f"{kind} {height}", float("nan")) * 1e3

    rows = []
    for (kind, height), now in VECTOR_NS.items():
        name, (items, n, m) = FITTED[kind]
        vectors = {
            "skewed": items * -(-n // height) * (m + height - 1) * (height // 16),
            "rows": items * n * -(-m // 16),
            "abreast": -(-items // 16) * n * m,
        }[kind]
        rows.append([f"vector, {kind} {height}", now, ns(name, (items, n, m), kind, height) / vectors])
    more = ns("dtw()", MANY, "skewed", 32) - ns("dtw()", FEW, "skewed", 32)
    rows.append(["strip", STRIP_NS, more / (MANY[0] - FEW[0]) - (MANY[2] + 31) * 2 * rows[0][2]])
    return rows


def every(name: str, shape: tuple[int, int, int]) -> tuple[dict[str, float], str]:
    """us of the total and gradient by each schedule that can be, and which one is chosen."""
    import numpy as np

    import dpsemiring as dp
    from dpsemiring.run.cpu.engine import CpuEngine

    class Fixed(CpuEngine):
        only = None

        def choice(self, *given):
            self.chosen = super().choice(*given)
            return self.only or self.chosen

    topology = eval(f"dp.topologies.{name}", {"dp": dp})
    cost = np.random.default_rng(0).random(shape, np.float32)
    labels = np.where(np.arange(shape[2]) % 2, 1 + np.arange(shape[2]) % 7, 0)
    params = {p.name: np.broadcast_to(labels, (shape[0], shape[2])) for p in topology.params()}
    found, chosen = {}, None
    for only in (None, *VECTOR_NS):
        solver = dp.compile(topology, dp.Softmin(1.0))
        solver.engine = engine = Fixed(solver.engine.recurrence)
        engine.only = only

        def call(solver=solver):
            result = solver(cost, params=params)
            return result.total, result.marginals

        if only is None:
            call()
            chosen = engine.chosen
        elif only == chosen or _can_be(only, chosen, engine, shape):
            found[f"{only[0]} {only[1]}"] = alone.seconds(call, 5) * 1e6
    return found, f"{chosen[0]} {chosen[1]}"


def _can_be(choice, chosen, engine, shape) -> bool:
    from dpsemiring.run.cpu.choice import options

    return choice in options(engine.recurrence) or (choice[0] == "abreast" and shape[0] >= 16 and chosen[0] != "rows")
