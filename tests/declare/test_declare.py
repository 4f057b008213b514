"""Declarations: what is refused, by name and with the mend, and how a topology prints."""

import math

import pytest

import dpsemiring as dp

STATES = dict(states=("a", "b"))

REFUSED = {
    "negative step": (lambda: dp.Step(-1, 0), ValueError, "dn is a whole number >= 0"),
    "fractional step": (lambda: dp.Step(1, 0.5), ValueError, "dm is a whole number >= 0"),
    "weight and terms": (lambda: dp.Step(1, 0, weight=2, terms=[dp.Term()]), ValueError, "weight and terms are both given"),
    "no terms within a cell": (lambda: dp.Step(0, 0), ValueError, "must state its terms"),
    "a string for a weight": (lambda: dp.Step(1, 0, weight="2"), TypeError, "weight is a number or a Param"),
    "NaN penalty": (lambda: dp.Step(1, 0, penalty=math.nan), ValueError, "penalty is NaN"),
    "infinite negative weight": (lambda: dp.Step(1, 0, weight=-math.inf), ValueError, "has no meaning"),
    "a Param named as a plane": (
        lambda: dp.compile(dp.topologies.weighted_dtw(dp.Param("cost")), dp.Tropical),
        ValueError,
        "a Param and a plane are both named 'cost'",
    ),
    "a word for gamma": (lambda: dp.compile(dp.topologies.dtw(), dp.Softmin("a")), TypeError, "gamma is a number or a Param"),
    "an array for where": (lambda: dp.Step(1, 0, where=[1, 0]), TypeError, "pass the array at the call"),
    "terms of the wrong kind": (lambda: dp.Step(1, 0, terms=["cost"]), TypeError, "terms are dp.Term objects"),
    "Param with a bad axis": (lambda: dp.Param("w", axes="k"), ValueError, "axes are some of"),
    "Param with axes out of order": (lambda: dp.Param("w", axes="mb"), ValueError, "in this order"),
    "Param without a name": (lambda: dp.Param("1w"), ValueError, "identifier"),
    "shaped Param as a number": (lambda: dp.Step(1, 0, weight=dp.Param("A", shape=(2, 2))), TypeError, "name one entry"),
    "entry outside": (lambda: dp.Param("A", shape=(2, 2))[2, 0], IndexError, "not one entry"),
    "differs without columns": (lambda: dp.Param("y", axes="b").differs(-2), ValueError, "along axis m"),
    "no steps' state": (lambda: dp.Topology([dp.Step(1, 0)], **STATES), ValueError, "names no source"),
    "unknown state": (lambda: dp.Topology([dp.Step(1, 0, source="a", target="c")], **STATES), ValueError, "unknown target 'c'"),
    "state without states": (lambda: dp.Topology([dp.Step(1, 0, source="a", target="a")]), ValueError, "pass states="),
    "state twice": (lambda: dp.Topology([], states=("a", "a")), ValueError, "'a' is declared twice"),
    "cycle within a cell": (
        lambda: dp.Topology(
            [dp.Step(0, 0, terms=(), source="a", target="b"), dp.Step(0, 0, terms=(), source="b", target="a")], **STATES
        ),
        ValueError,
        "form a cycle",
    ),
    "end not reached": (
        lambda: dp.Topology(
            [dp.Step(1, 0, source="a", target="a")], dp.Boundary(dp.Start(state="a"), dp.End(state="b")), **STATES
        ),
        ValueError,
        "reached by no start and no step",
    ),
    "two Params of one name": (
        lambda: dp.Topology([dp.Step(1, 0, weight=dp.Param("w")), dp.Step(0, 1, weight=dp.Param("w", axes="n"))]),
        ValueError,
        "two different Params are named 'w'",
    ),
    "no starts": (lambda: dp.Boundary((), dp.End()), ValueError, "starts is empty"),
    "an axis that is none": (lambda: dp.Boundary.subsequence(2), ValueError, "axis is 0"),
    "half an index": (lambda: dp.Start(0.5, 0), TypeError, "n is a whole number"),
    "extra out of range": (lambda: dp.Topology([dp.Step(1, 0)], extra=(2, 0)), ValueError, "pair of 0 or 1"),
    "a window": (lambda: dp.Topology([dp.Step(1, 0)], window=5), TypeError, "window is a dp.Window"),
    "gamma 0": (lambda: dp.Softmin(0.0), ValueError, "gamma must be finite and > 0, found 0.0"),
    "gamma NaN": (lambda: dp.Sparsemin(math.nan), ValueError, "gamma must be finite"),
    "a parameter of two words": (
        lambda: dp.Semiring("s", 0, 1, min, max, {"my gamma": 1.0}),
        ValueError,
        "a Python identifier, found 'my gamma'",
    ),
    "a law unknown": (lambda: dp.Semiring("s", 0, 1, min, max, laws=("commutes",)), ValueError, "unknown law"),
    "a function for a semiring": (lambda: dp.compile(dp.topologies.dtw(), dp.Softmin), TypeError, "call it: dp.Softmin"),
    "a semiring for a topology": (lambda: dp.compile(dp.Tropical, dp.Tropical), TypeError, "first argument is a dp.Topology"),
    "gamma along m": (
        lambda: dp.compile(dp.topologies.dtw(), dp.Softmin(dp.Param("gamma", axes="m"))),
        ValueError,
        "may vary over the batch",
    ),
    "one name for two Params": (
        lambda: dp.compile(dp.topologies.weighted_dtw(diagonal=dp.Param("w", axes="m")), dp.Softmin(dp.Param("w"))),
        ValueError,
        "two different Params are named 'w'",
    ),
    "an engine unknown": (lambda: dp.compile(dp.topologies.dtw(), dp.Tropical, engine="tpu"), ValueError, "engine is one of"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_mend(case):
    build, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        build()


def test_prints_as_a_recurrence():
    t = dp.Topology(
        [
            dp.Step(1, 1, weight=dp.Param("w", axes="bm")),
            dp.Step(1, 2, penalty=0.5, where=dp.Param("y", axes="bm").differs(-2)),
            dp.Step(1, 0, terms=[dp.Term("gap", at=(-1, 0), weight=2.0)]),
        ],
        boundary=dp.Boundary([dp.Start(), dp.Start(None, 0, terms=(), penalty=1.0)], dp.End(-2, None, terms=[dp.Term()])),
    )
    assert str(t).splitlines() == [
        "D[n, m] = sum of",
        "    cost[n, m]   at [0, 0]",
        "    1   at [any n, 0]",
        "    D[n-1, m-1] + w[b, m] * cost[n, m]",
        "    D[n-1, m-2] + cost[n, m] + 0.5   where y[b, m] != y[b, m-2]",
        "    D[n-1, m] + 2 * gap[n-1, m]",
        "total = sum of",
        "    D[N-2, any m] + cost[n, m]",
    ]


def test_declarations_are_frozen_values():
    assert dp.topologies.ctc() == dp.topologies.ctc()
    with pytest.raises(AttributeError):
        dp.Step(1, 0).dn = 2


def test_print_of_a_solver_shows_recurrence_and_plan():
    text = str(dp.compile(dp.topologies.ctc(), dp.Softmin(0.5)))
    assert "times(D[n-1, m-2], encode(cost[n, m]))   where (labels[m] differs -2)" in text
    assert "rows (every step has dn >= 1)" in text
    assert "skewed strips of 64 rows" in str(dp.compile(dp.topologies.dtw(), dp.Tropical))
