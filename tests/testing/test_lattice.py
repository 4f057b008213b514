"""The unrolled lattice, arc by arc, against what the declaration says in words."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import unroll

COST = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
FREE = dp.Boundary(dp.Start(None, None, terms=()), dp.End(None, None, terms=[dp.Term(weight=0.0)]))


def into(lattice, n, m, state=None):
    """What leads into a node: (step, or -1 for a start; w)."""
    return [(-1 if a.source is None else a.index, a.w) for a in lattice.into[n, m, state]]


def one_step(step, cost=COST, params=None, **rest):
    """The steps of a lattice with this one alone, started everywhere: cell -> w."""
    lattice = unroll(dp.Topology([step], FREE, **rest), cost, params=params)
    return {node[:2]: a.w for node, arcs in lattice.into.items() for a in arcs if a.source is not None}


def test_dtw():
    lattice = unroll(dp.topologies.dtw(), COST)
    assert repr(lattice) == "Lattice(2 x 3 cells, 6 nodes, 10 arcs, 1 ends)"
    assert into(lattice, 0, 0) == [(-1, 1.0)]
    assert into(lattice, 0, 2) == [(2, 3.0)]
    assert into(lattice, 1, 1) == [(0, 5.0), (1, 5.0), (2, 5.0)]
    assert [a.source for a in lattice.into[1, 1, None]] == [(0, 0, None), (0, 1, None), (1, 0, None)]
    assert [(a.source, a.w) for a in lattice.ends] == [((1, 2, None), None)]


def test_starts_come_before_steps_and_stay_apart():
    starts = (dp.Start(0, 0), dp.Start(0, 0, penalty=7.0), dp.Start(-2, None, terms=()))
    lattice = unroll(dp.Topology([dp.Step(0, 1)], dp.Boundary(starts, dp.End())), COST)
    assert into(lattice, 0, 0) == [(-1, 1.0), (-1, 8.0), (-1, None)]
    assert into(lattice, 0, 1) == [(-1, None), (0, 2.0)]
    assert into(lattice, 1, 0) == []


def test_ends_go_row_by_row_then_as_declared():
    ends = (dp.End(None, -1), dp.End(-1, None, penalty=1.0), dp.End(-1, -1))
    lattice = unroll(dp.Topology([dp.Step(1, 1)], dp.Boundary(dp.Start(), ends)), COST)
    assert [(a.source[:2], a.index, a.w) for a in lattice.ends] == [
        ((0, 2), 0, None), ((1, 0), 1, 1.0), ((1, 1), 1, 1.0), ((1, 2), 0, None), ((1, 2), 1, 1.0), ((1, 2), 2, None),
    ]  # fmt: skip


def test_negative_indices_count_from_the_items_own_length():
    topology = dp.Topology([dp.Step(0, 1)], dp.Boundary(dp.Start(-1, -2), dp.End(-1, -3)), extra=(1, 0))
    lattice = unroll(topology, np.zeros((5, 5)), lengths=(2, 3))
    assert (lattice.item.rows, lattice.item.cols) == (3, 3)
    assert [a.source for a in lattice.ends] == [(2, 0, None)]
    assert [node for node, arcs in lattice.into.items() if any(a.source is None for a in arcs)] == []  # (2, 1) has no cost
    assert unroll(topology, np.zeros((5, 5)), lengths=(2, 2)).ends == []


def test_a_term_outside_its_plane_takes_the_step_away():
    assert one_step(dp.Step(0, 1, terms=[dp.Term(at=(-1, 0))])) == {(1, 1): 2.0, (1, 2): 3.0}
    assert one_step(dp.Step(0, 1, terms=[dp.Term(at=(1, 0)), dp.Term(weight=10.0)])) == {(0, 1): 25.0, (0, 2): 36.0}
    assert one_step(dp.Step(0, 1, terms=[dp.Term(at=(0, -2), weight=0.0)])) == {(0, 2): 0.0, (1, 2): 0.0}


def test_cells_beyond_the_cost_have_none():
    found = one_step(dp.Step(1, 0, terms=[dp.Term(at=(-1, 0))]), extra=(1, 1))
    assert found == {(1, 0): 1.0, (1, 1): 2.0, (1, 2): 3.0, (2, 0): 4.0, (2, 1): 5.0, (2, 2): 6.0}
    assert one_step(dp.Step(1, 0), extra=(1, 1)) == {(1, 0): 4.0, (1, 1): 5.0, (1, 2): 6.0}


@pytest.mark.parametrize("longer", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_plane_may_be_as_much_longer_as_the_lattice(longer):
    other = np.arange(12.0).reshape(3, 4)[: 2 + longer[0], : 3 + longer[1]]
    step = dp.Step(1, 0, terms=[dp.Term("other")])
    topology = dp.Topology([step], dp.Boundary(dp.Start(None, None), dp.End(None, None)), extra=(1, 1))
    found = unroll(topology, {"cost": COST, "other": other})
    cells = [node[:2] for node, arcs in found.into.items() if any(a.source for a in arcs)]
    assert cells == [(n, m) for n in range(1, 2 + longer[0]) for m in range(3 + longer[1])]
    # and a shorter item keeps the difference
    short = unroll(topology, {"cost": COST, "other": other}, lengths=(1, 2))
    assert [c for c in cells if c[0] <= longer[0] and c[1] < 2 + longer[1]] == [
        node[:2] for node, arcs in short.into.items() if any(a.source for a in arcs)
    ]


@pytest.mark.parametrize("weight", [0.0, 1.0, -2.0])
def test_a_forbidden_cost_wins_over_every_weight(weight):
    cost = COST.copy()
    cost[0, 1] = math.inf
    assert one_step(dp.Step(0, 1, weight=weight), cost) == {c: weight * cost[c] for c in [(0, 2), (1, 1), (1, 2)]}


def test_a_forbidden_weight_or_penalty_takes_the_step_away():
    w = np.array([[1.0, math.inf, 2.0]])
    found = one_step(dp.Step(0, 1, weight=dp.Param("w", axes="nm")), params={"w": w})
    assert found == {(0, 2): 6.0, (1, 2): 12.0}
    assert one_step(dp.Step(0, 1, penalty=math.inf)) == {}
    p = np.array([math.inf, 1.0])
    assert one_step(dp.Step(0, 1, penalty=dp.Param("p", axes="n")), params={"p": p}) == {(1, 1): 6.0, (1, 2): 7.0}


def test_scores_forbid_by_minus_infinity():
    cost = np.array([[0.0, -math.inf]])
    topology = dp.Topology([dp.Step(0, 1)])
    assert into(unroll(topology, cost, forbid=-math.inf), 0, 1) == []
    with pytest.raises(ValueError, match="has no meaning where"):
        unroll(topology, -cost, forbid=-math.inf)
    with pytest.raises(ValueError, match="has no meaning where"):
        unroll(topology, cost)


def test_nothing_paid_is_none_and_a_penalty_of_a_param_is_paid():
    assert one_step(dp.Step(1, 1, terms=())) == {(1, 1): None, (1, 2): None}
    assert one_step(dp.Step(1, 1, terms=(), penalty=dp.Param("p")), params={"p": 0.0}) == {(1, 1): 0.0, (1, 2): 0.0}


@pytest.mark.parametrize(
    "axes, value",
    [
        ("", 5.0),
        ("b", [5.0]),
        ("n", [5.0, 6.0]),
        ("m", [5.0, 6.0, 7.0]),
        ("nm", [[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]]),
        ("nm", [[5.0, 6.0, 7.0]]),
        ("nm", [[5.0], [6.0]]),
        ("bnm", [[5.0, 6.0, 7.0]]),
        ("bnm", [[[5.0], [6.0]]]),
    ],
)
def test_params_are_read_at_the_cell_that_is_entered(axes, value):
    found = one_step(dp.Step(0, 1, terms=(), penalty=dp.Param("p", axes=axes)), params={"p": np.array(value)})
    array = np.array(value)
    if axes.startswith("b") and array.ndim == len(axes):
        array = array[0]
    if "n" not in axes:
        array = array.reshape(1, -1)
    elif "m" not in axes:
        array = array.reshape(-1, 1)
    table = np.broadcast_to(array, (2, 3))
    assert found == {(n, m): table[n, m] for n in (0, 1) for m in (1, 2)}


def test_one_entry_of_a_table():
    table = dp.Param("A", axes="m", shape=(2, 2))
    value = np.arange(12.0).reshape(3, 2, 2)
    found = one_step(dp.Step(0, 1, terms=[dp.Term(weight=table[1, 0])], penalty=table[0, 1]), params={"A": value})
    assert found == {(n, m): value[m, 0, 1] + value[m, 1, 0] * COST[n, m] for n in (0, 1) for m in (1, 2)}


def test_masks():
    found = one_step(dp.Step(0, 1, where=dp.Param("open", axes="nm")), params={"open": np.array([[0, 0, 2], [1, 1, 0]])})
    assert found == {(0, 2): 3.0, (1, 1): 5.0}


@pytest.mark.parametrize("columns", [-1, -2, 1, 2])
def test_differs_compares_columns_and_holds_outside(columns):
    labels = dp.Param("labels", axes="m")
    found = one_step(dp.Step(1, 0, where=labels.differs(columns)), params={"labels": np.array([1, 2, 2])})
    wanted = {-1: [0, 1], -2: [0, 1, 2], 1: [0, 2], 2: [0, 1, 2]}[columns]
    assert [m for _, m in found] == wanted
    # the comparison stops at the item's own last column
    topology = dp.Topology([dp.Step(1, 0, where=labels.differs(columns))], FREE)
    short = unroll(topology, COST, lengths=(2, 2), params={"labels": np.array([1, 2, 2])})
    assert [node[1] for node, arcs in short.into.items() if any(a.source for a in arcs)] == {
        -1: [0, 1], -2: [0, 1], 1: [0, 1], 2: [0, 1],
    }[columns]  # fmt: skip


def test_states():
    steps = [
        dp.Step(0, 0, terms=(), source="a", target="b"),
        dp.Step(0, 1, source="a", target="a"),
        dp.Step(1, 1, weight=2.0, source="b", target="a"),
    ]
    topology = dp.Topology(steps, dp.Boundary(dp.Start(0, 0, state="a"), dp.End(-1, -1)), states=("a", "b"))
    lattice = unroll(topology, COST)
    assert into(lattice, 0, 0, "a") == [(-1, 1.0)]
    assert into(lattice, 0, 0, "b") == [(0, None)]
    assert into(lattice, 1, 1, "a") == [(1, 5.0), (2, 10.0)]
    assert lattice.into[1, 1, "a"][1].source == (0, 0, "b")
    assert [a.source for a in lattice.ends] == [(1, 2, "a"), (1, 2, "b")]


def test_sources_are_read_as_arrays():
    log_probs, labels = np.log([[0.25, 0.75], [0.5, 0.5]]), np.array([1, 0, 1])
    lattice = unroll(dp.topologies.dtw(), -dp.costs.gather(log_probs, labels))
    assert into(lattice, 0, 0) == [(-1, -math.log(0.75))]
    assert into(lattice, 1, 2)[0] == (0, -math.log(0.5))


def test_a_nan_is_noticed_within_the_lengths_alone():
    cost = COST.copy()
    cost[1, 2] = np.nan
    assert unroll(dp.topologies.dtw(), cost).has_nan
    assert not unroll(dp.topologies.dtw(), cost, lengths=(2, 2)).has_nan


@pytest.mark.parametrize(
    "cost, params, message",
    [
        (COST[None], {}, r"takes one item, \(N, M\)"),
        ({"other": COST}, {}, "plane 'cost' is missing"),
        (COST, {}, "'stay' is missing"),
        (COST, {"stay": np.ones((2, 2))}, "the axes 'm'"),
    ],
)
def test_wrong_data_is_named(cost, params, message):
    topology = dp.topologies.weighted_dtw(horizontal=dp.Param("stay", axes="m"))
    with pytest.raises(ValueError, match=message):
        unroll(topology, cost, params=params)


def test_the_witnesses_share_nothing_with_what_they_witness():
    """Imports, followed through dp.testing, stay within the declaration and the algebra."""
    import ast
    from pathlib import Path

    folder = Path(dp.testing.__file__).parent
    waiting, seen = ["paths", "witness", "problems"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])]
            for module in modules if isinstance(node, (ast.Import, ast.ImportFrom)) else []:
                room = module.split(".")[1:2]
                assert not module.startswith("dpsemiring") or room[0] in ("algebra", "declare", "testing"), f"{name}: {module}"
                if module.startswith("dpsemiring.testing."):
                    waiting.append(module.split(".")[2])
    assert {"lattice", "reading", "gradients"} <= seen and "assertions" not in seen
