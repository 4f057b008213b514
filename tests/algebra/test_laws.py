"""The law checker finds what is broken, at every temperature, and believes nothing stated."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra import laws
from dpsemiring.algebra.laws import LAWS
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.testing import samples


def plus(a, b, p):
    return a + b


MADE = list({str(s): s for gamma in (0.7, 0.1, 10.0) for s in (*samples.built_in(gamma), *samples.every(gamma))}.values())


@pytest.mark.parametrize("semiring", [*MADE, dp.KBest(2), dp.KBest(5)], ids=str)
def test_stated_laws_survive_and_only_they(semiring):
    findings = dp.laws.check(semiring)
    assert tuple(findings) == LAWS
    assert findings.broken == ()
    for law, finding in findings.items():
        assert finding.law == law
        assert finding.stated == semiring.has(law)
        assert finding.holds == semiring.has(law), str(finding)
        assert (finding.counterexample is None) == finding.holds
        assert finding.samples >= 1


@pytest.mark.parametrize("gamma", [1.0, 0.1, 10.0, 1e-3, 1e3])
@pytest.mark.parametrize("make", [dp.Sparsemin, dp.Smoothmin, samples.tsallis], ids=["sparsemin", "smoothmin", "tsallis"])
def test_a_regularised_minimum_is_not_associative_at_any_temperature(make, gamma):
    finding = dp.laws.check(make(gamma))["associative"]
    assert not finding.holds and not finding.stated
    example = finding.counterexample
    assert example.params == {"gamma": gamma}
    numbers = Numbers(make(gamma))
    a, b, c = ((example.values[name],) for name in "abc")
    assert (numbers.sum([a, b, c])[0], example.left) == (example.left, example.left)
    nested = {"sum(sum(a, b), c)": [numbers.sum([a, b]), c], "sum(a, sum(b, c))": [a, numbers.sum([b, c])]}
    assert numbers.sum(nested[example.right_text])[0] == example.right != example.left


def test_a_finding_prints_what_a_reader_can_check():
    text = str(dp.laws.check(dp.Sparsemin(1.0))["associative"])
    assert text.startswith("associative: not stated, refuted; with a = ")
    assert "gamma = 1" in text and "sum(a, b, c) = " in text
    assert "stated, not refuted by" in str(dp.laws.check(dp.Tropical)["associative"])
    assert len(str(dp.laws.check(dp.Tropical)).splitlines()) == 4


def test_a_law_stated_in_vain_is_shown_as_such():
    boast = dp.Semiring("boast", math.inf, 0.0, lambda t, p: dp.ops.sum(t), plus)
    findings = dp.laws.check(boast)
    assert findings.broken == ("distributive",)
    assert findings["associative"].holds
    assert "STATED BUT REFUTED" in str(findings["distributive"])


@pytest.mark.parametrize(
    "law, changes",
    [
        ("associative", {"sum": lambda t, p: dp.ops.sum(t * t)}),
        ("distributive", {"times": lambda a, b, p: a * b}),  # of costs below 0: times turns the order round
        ("identity", {"one": 1.0}),
        ("identity", {"sum": lambda t, p: dp.ops.min(t) + 1.0}),
        ("annihilating", {"zero": 1e9}),
        ("annihilating", {"times": lambda a, b, p: dp.ops.minimum(a, b)}),
    ],
)
def test_each_law_can_be_refuted(law, changes):
    given = {"zero": math.inf, "one": 0.0, "sum": lambda t, p: dp.ops.min(t), "times": plus}
    broken = dp.Semiring("broken", **{**given, **changes})
    assert not dp.laws.check(broken)[law].holds


def test_one_side_of_distributivity_is_enough_to_refute():
    first = dp.Semiring("first", math.inf, 0.0, lambda t, p: dp.ops.min(t), lambda a, b, p: a + b * b)
    assert not dp.laws.check(first)["distributive"].holds
    second = dp.Semiring("second", math.inf, 0.0, lambda t, p: dp.ops.min(t), lambda a, b, p: a * a + b)
    assert not dp.laws.check(second)["distributive"].holds


def test_weights_that_are_never_negative():
    viterbi = dp.Semiring("viterbi", 0.0, 1.0, lambda t, p: dp.ops.max(t), lambda a, b, p: a * b)
    assert not dp.laws.check(viterbi)["distributive"].holds
    assert all(f.holds for f in dp.laws.check(viterbi, lowest=0.0).values())


def test_a_parameter_without_a_number_is_tried_at_several():
    found = dp.laws.check(dp.Softmin(dp.Param("g", axes="b")))
    assert all(f.holds for f in found.values())
    assert found["associative"].samples == 3 * dp.laws.check(dp.Softmin(1.0))["associative"].samples
    chosen = dp.laws.check(dp.Sparsemin(dp.Param("g")), params={"gamma": 5.0})["associative"]
    assert chosen.counterexample.params == {"gamma": 5.0}


def test_the_outcome_is_repeatable_and_depends_on_the_seed_alone():
    one, two = (dp.laws.check(dp.Sparsemin(0.3), seed=7) for _ in range(2))
    assert str(one) == str(two)


@pytest.mark.parametrize(
    "params, message", [({"beta": 1.0}, "no parameter 'beta'; it has: gamma"), ({"gamma": -1.0}, "finite and > 0")]
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        dp.laws.check(dp.Softmin(1.0), params=params)


def test_a_semiring_that_was_not_made_is_refused():
    with pytest.raises(TypeError, match=r"call it: dp\.Softmin\(\.\.\.\)"):
        dp.laws.check(dp.Softmin)


def test_the_sampled_temperature_matters():
    """At 100 gamma no random triple exposes sparsemin: samples are scaled with gamma."""
    numbers, rng = Numbers(dp.Sparsemin(1e-3)), np.random.default_rng(0)
    far = [[(float(v),) for v in rng.normal(size=3)] for _ in range(200)]
    apart = [abs(numbers.sum([numbers.sum(x[:2]), x[2]])[0] - numbers.sum(x)[0]) > 1e-9 for x in far]
    assert sum(apart) < 5
    assert not dp.laws.check(dp.Sparsemin(1e-3))["associative"].holds


def broken_list(**changes):
    """KBest(3) with a part replaced."""
    good = dp.KBest(3)
    parts = {n: getattr(good, n) for n in ("zero", "one", "sum", "times", "carrier", "encode", "decode", "laws")}
    return dp.Semiring("broken", **{**parts, **changes})


def only_the_best_of_each(terms, p):
    """A merge that forgets that a later list may hold several of the best."""
    (x, y, z), *others = zip(*terms)
    for best, *_ in others:
        x, best = dp.ops.minimum(x, best), dp.ops.maximum(best, x)
        y, best = dp.ops.minimum(y, best), dp.ops.maximum(best, y)
        z = dp.ops.minimum(z, best)
    return x, y, z


def test_a_list_that_is_merged_wrongly_is_refuted():
    assert dp.laws.check(broken_list()).broken == ()
    assert "associative" in dp.laws.check(broken_list(sum=only_the_best_of_each)).broken
    shallow = dp.laws.check(broken_list(times=lambda a, b, p: tuple(x + b[0] for x in a)))
    assert "distributive" in shallow.broken  # seen only where b holds more than one


def test_what_a_semiring_cannot_make_refutes_nothing():
    """The least of every place by itself breaks on arbitrary lists, but of single numbers it never makes a longer one."""
    lone = broken_list(sum=lambda terms, p: tuple(map(dp.ops.min, terms)))
    assert dp.laws.check(lone).broken == ()


def test_samples_of_a_list_are_lists():
    """Rising, with equal and with missing entries: what the semiring makes itself, never arbitrary triples."""
    rng = np.random.default_rng(0)
    numbers = Numbers(dp.KBest(3))
    drawn = [v for sample in laws._samples(numbers, {}, 2, 200, rng, -math.inf) for v in sample]
    assert all(list(v) == sorted(v) for v in drawn)
    lengths = {sum(map(math.isfinite, v)) for v in drawn}
    assert lengths == {0, 1, 2, 3}
    assert any(v[0] == v[1] < math.inf for v in drawn)


def test_an_entropy_that_is_only_averaged_is_refuted():
    """The mean of the entropies without the entropy of the choice."""
    good = dp.Entropy(0.5)

    def averaged(terms, p):
        x, h = terms
        y = dp.ops.exp(-(x - dp.ops.min(x)) / p.gamma)
        return good.sum(terms, p)[0], dp.ops.sum(y * (h + 1.0)) / dp.ops.sum(y)

    parts = {n: getattr(good, n) for n in ("zero", "one", "times", "carrier", "encode", "decode", "laws", "params", "positive")}
    assert "associative" in dp.laws.check(dp.Semiring("averaged", sum=averaged, **parts)).broken
