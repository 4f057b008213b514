"""What a cell costs by size, by the number of steps, of states, by gamma, in a band; and under unusual topologies."""

from __future__ import annotations

import numpy as np

from benchmarks import alone, report

SIZES = (100, 200, 500, 1000, 2000, 5000, 10000, 20000)
STEPS = ((1, 1), (1, 0), (0, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (2, 3), (3, 2), (3, 3), (1, 4))
GAMMAS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
UNUSUAL = {
    "weights by column, steps (2, 1), (1, 2), (1, 1)": "weighted()",
    "Rabiner-Juang type 3c": "dp.topologies.rabiner_juang(3, 'c')",
    "Rabiner-Juang type 5d": "dp.topologies.rabiner_juang(5, 'd')",
    "affine gaps, three states": "dp.topologies.affine_gap(1.0, 0.5)",
}
RANDOM = 20


def study(settings, options) -> dict:
    """Tables of ns a cell, forward and forward + backward, softmin, float32, one thread."""
    found: dict = {}
    quick = settings.quick
    n = 200 if quick else 1000

    def show(key, title, calls):
        found[key] = {name: alone.run(settings, f"scaling:{call}") for name, call in calls.items()}
        rows = [[name, *(times or (None, None))] for name, times in found[key].items()]
        print(report.table([f"ns a cell by {title}", "forward", "forward + backward"], rows), flush=True)

    sizes = SIZES[:3] if quick else SIZES
    show("size", "size, one problem", {str(s): f"size({s})" for s in sizes})
    show("batch", "size, 64 problems", {str(s): f"size({s}, 64)" for s in ((20, 50) if quick else (20, 50, 100, 200))})
    show("steps", f"number of steps, {n} x {n}", {str(s): f"steps({s}, {n})" for s in ((1, 3) if quick else range(1, 13))})
    show(
        "states", f"number of states, {n} x {n}", {str(k): f"states({k}, {n})" for k in ((1, 2) if quick else (1, 2, 3, 4, 6, 8))}
    )
    show("gamma", f"gamma, {n} x {n}", {f"{g:g}": f"gamma({g}, {n})" for g in ((1e-3, 1.0) if quick else GAMMAS)})
    radii = (5, 50, None) if quick else (10, 50, 200, 1000, None)
    show("band", f"radius of a band, {4 * n} x {4 * n}", {str(r or "none"): f"band({r}, {4 * n})" for r in radii})
    found["unusual"] = _unusual(settings, 150 if quick else 1000, 2 if quick else RANDOM)
    return found


def _unusual(settings, n, count) -> dict:
    """ns a cell and a step beside plain soft-DTW's, in turns; 3 times that is the limit."""
    calls = UNUSUAL | {f"random {i}": f"randomly({i})" for i in range(count)}
    found, rows = {}, []
    for name, text in calls.items():
        times = alone.run(settings, f"scaling:topology({text!r}, {n})")
        found[name] = times
        if times:
            forward, both, plain, steps = times
            rows.append([name, steps, forward, both, both / steps / (plain / 3), 3.0])
        else:
            rows.append([name, *[None] * 5])
    head = [
        f"unusual topologies, {n} x {n}, ns a cell",
        "steps",
        "forward",
        "forward + backward",
        "a step, of plain's",
        "wanted: below",
    ]
    print(report.table(head, rows), flush=True)
    return found


# --- in a process of their own ----------------------------------------------------------------------


def _calls(topology, shape, gamma=1.0, params=None):
    """A call of a solver, and one with the marginals."""
    import dpsemiring as dp

    random = np.random.default_rng(0)
    cost = {plane: random.random(shape, np.float32) for plane in topology.planes()}
    solver = dp.compile(topology, dp.Softmin(gamma))

    def call():
        return solver(cost, params=params)

    return call, lambda: call().marginals


def _times(topology, shape, gamma=1.0, cells=None) -> list[float]:
    size = int(np.prod(shape)) if cells is None else cells
    return [alone.seconds(call, 5 if size < 10**8 else 1) / size * 1e9 for call in _calls(topology, shape, gamma)]


def size(n: int, batch: int = 1) -> list[float]:
    import dpsemiring as dp

    return _times(dp.topologies.dtw(), (batch, n, n))


def steps(count: int, n: int) -> list[float]:
    import dpsemiring as dp

    return _times(dp.Topology([dp.Step(*s) for s in STEPS[:count]]), (n, n))


def states(count: int, n: int) -> list[float]:
    """A ring of states: three steps within each, and a diagonal one to the next."""
    import dpsemiring as dp

    names = [f"s{k}" for k in range(count)]
    within = [dp.Step(*d, source=s, target=s) for s in names for d in ((1, 1), (1, 0), (0, 1))]
    on = [dp.Step(1, 1, source=s, target=names[(k + 1) % count]) for k, s in enumerate(names) if count > 1]
    boundary = dp.Boundary([dp.Start(state=names[0])], [dp.End()])
    return _times(dp.Topology(within + on, boundary, states=names), (n, n))


def gamma(value: float, n: int) -> list[float]:
    import dpsemiring as dp

    return _times(dp.topologies.dtw(), (n, n), value)


def band(radius: int | None, n: int) -> list[float]:
    """By the cells that the band contains."""
    import dpsemiring as dp

    if radius is None:
        return _times(dp.topologies.dtw(), (n, n))
    cells = (2 * radius + 1) * n - radius * (radius + 1)
    return _times(dp.topologies.dtw().replace(window=dp.Window.sakoe_chiba(radius)), (n, n), cells=min(cells, n * n))


def topology(text: str, n: int) -> list[float]:
    """ns a cell, forward and forward + backward, the latter of plain soft-DTW, and the number of steps."""
    import dpsemiring as dp

    made = eval(text, {"dp": dp, "weighted": weighted, "randomly": randomly})
    params = {"w": np.linspace(0.5, 1.5, n)} if text == "weighted()" else None
    calls = [*_calls(made, (n, n), params=params), _calls(dp.topologies.dtw(), (n, n))[1]]
    return [*(t / n**2 * 1e9 for t in alone.in_turns(calls, 15, 0.5)), len(made.steps)]


def weighted():
    import dpsemiring as dp

    w = dp.Param("w", axes="m")
    return dp.Topology([dp.Step(2, 1, weight=w), dp.Step(1, 2, weight=w), dp.Step(1, 1, weight=w)])


def randomly(number: int):
    """A random topology without Params: steps, states, weights, penalties, terms with offsets."""
    import dpsemiring as dp

    random = np.random.default_rng(number)
    names = [f"s{k}" for k in range(random.integers(1, 4))]
    moves = [STEPS[i] for i in random.choice(7, random.integers(2, 6), replace=False)]
    made = []
    for i, (dn, dm) in enumerate(moves):
        source, target = names[i % len(names)], names[(i + 1) % len(names)]
        terms = [
            dp.Term(at=(-int(random.integers(0, dn + 1)), -int(random.integers(0, dm + 1))), weight=random.uniform(0.5, 2.0))
        ]
        made += [dp.Step(dn, dm, terms=terms, penalty=random.uniform(0.0, 1.0), source=source, target=target)]
    made += [dp.Step(1, 1, source=s, target=s) for s in names]
    return dp.Topology(
        made, dp.Boundary([dp.Start(None, 0), dp.Start(0, None)], [dp.End(None, -1), dp.End(-1, None)]), states=names
    )
