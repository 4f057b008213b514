"""CTC with and without blank, transducers: definitions written out, and the known edges."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

import dpsemiring as dp

T = dp.topologies
LIKELIHOOD = dp.Softmin(1.0)  # of negative log-probabilities: the negative log of the sum of probabilities


def solve(topology, cost, semiring=LIKELIHOOD, engine="reference", lengths=None, **params):
    return dp.compile(topology, semiring, engine=engine)(cost, lengths, params)


def random_log_probs(seed, *shape):
    logits = np.random.default_rng(seed).normal(size=shape)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


# --- CTC ---------------------------------------------------------------------------------------------------------------


def extend(labels, blank=0):
    extended = np.full(2 * len(labels) + 1, blank)
    extended[1::2] = labels
    return extended


def ctc(log_probs, labels, blank=0, semiring=LIKELIHOOD, **how):
    extended = extend(labels, blank)
    return solve(T.ctc(), -dp.costs.gather(log_probs, extended), semiring, labels=extended, **how)


def collapse(frames, blank):
    return [f for f, before in zip(frames, [None, *frames]) if f not in (before, blank)]


def by_definition(log_probs, labels, blank=0):
    """Minus the log of the summed probability of all frame labellings that collapse to the target."""
    frames, vocabulary = log_probs.shape
    total = 0.0
    for labelling in itertools.product(range(vocabulary), repeat=frames):
        if collapse(labelling, blank) == list(labels):
            total += math.exp(sum(log_probs[t, v] for t, v in enumerate(labelling)))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1, 1]])
def test_ctc_is_its_definition(labels, blank):
    """The blank first or last; repeated labels; targets that just fit, and that do not."""
    labels = [v + 1 if blank == 0 else v for v in labels]
    for frames in (1, 2, 4, 5):
        log_probs = random_log_probs(frames, frames, 3)
        assert ctc(log_probs, labels, blank).total == pytest.approx(by_definition(log_probs, labels, blank), rel=1e-12)


def test_two_frames_by_hand():
    """P("a" in 2 frames) = aa + a- + -a."""
    p = np.array([[0.6, 0.4], [0.3, 0.7]])  # blank, a
    assert ctc(np.log(p), [1]).total == pytest.approx(-math.log(0.4 * 0.7 + 0.4 * 0.3 + 0.6 * 0.7))


def test_three_frames_by_hand():
    """P("ab" in 3 frames) = aab + abb + ab- + a-b + -ab; "aa" has a-a alone."""
    p = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    (b0, a0, _), (b1, a1, c1), (b2, a2, c2) = p
    wanted = a0 * a1 * c2 + a0 * c1 * c2 + a0 * c1 * b2 + a0 * b1 * c2 + b0 * a1 * c2
    assert ctc(np.log(p), [1, 2]).total == pytest.approx(-math.log(wanted))
    assert ctc(np.log(p), [1, 1]).total == pytest.approx(-math.log(a0 * b1 * a2))


def test_aa_does_not_fit_into_two_frames():
    for engine in ("cpu", "reference"):
        for log_probs in (random_log_probs(0, 2, 3), np.zeros((2, 3))):  # also where all that is allowed has p = 1
            result = ctc(log_probs, [1, 1], engine=engine)
            assert result.total == math.inf
            assert (result.grad("log_probs") == 0.0).all() and (result.marginals == 0.0).all()


def test_certain_frames():
    """p = 1 along one labelling, 0 elsewhere: the total is 0, and -inf in log_probs forbids without a NaN."""
    log_probs = np.full((3, 3), -math.inf)
    log_probs[[0, 1, 2], [1, 0, 1]] = 0.0
    result = ctc(log_probs, [1, 1])
    assert result.total == 0.0
    np.testing.assert_array_equal(result.grad("log_probs"), np.where(np.isinf(log_probs), 0.0, -1.0))
    assert ctc(log_probs, [1, 2]).total == math.inf


def test_an_empty_target_is_all_blanks():
    log_probs = random_log_probs(0, 4, 3)
    result = ctc(log_probs, [])
    assert result.total == pytest.approx(-log_probs[:, 0].sum())
    assert result.marginals.tolist() == [[1.0]] * 4


def test_every_log_prob_shifted():
    """Adding c to every log-probability shifts the log-likelihood by T c."""
    log_probs = random_log_probs(0, 5, 4)
    before, after = (ctc(log_probs + c, [1, 3, 3]).total for c in (0.0, 0.75))
    assert after == pytest.approx(before - 5 * 0.75)


def test_the_gradient_sums_to_minus_one_a_frame():
    for labels in ([1, 3], [2, 2], []):
        result = ctc(random_log_probs(1, 6, 4), labels, engine="cpu" if labels == [1, 3] else "reference")
        np.testing.assert_allclose(result.grad("log_probs").sum(axis=1), -1.0)
        np.testing.assert_allclose(result.marginals.sum(axis=1), 1.0)


def test_a_ragged_batch_with_poisoned_padding():
    """Frames beyond an item's length are NaN, labels beyond its target nonsense; an empty target, one that does not fit."""
    targets, frames = [[1, 2], [], [2, 2], [3]], [5, 3, 2, 4]
    log_probs = random_log_probs(0, 4, 5, 4)
    alone = [ctc(log_probs[b, : frames[b]], targets[b]) for b in range(4)]
    extended = np.full((4, 5), -99)
    for b, labels in enumerate(targets):
        extended[b, : 2 * len(labels) + 1] = extend(labels)
        log_probs[b, frames[b] :] = np.nan
    lengths = np.array(frames), np.array([2 * len(labels) + 1 for labels in targets])
    for engine in ("cpu", "reference"):
        result = solve(T.ctc(), -dp.costs.gather(log_probs, extended), engine=engine, lengths=lengths, labels=extended)
        np.testing.assert_allclose(result.total, [a.total for a in alone], rtol=1e-12)
        assert result.total[2] == math.inf
        gradient = result.grad("log_probs")
        for b in range(4):
            np.testing.assert_allclose(gradient[b, : frames[b]], alone[b].grad("log_probs"), rtol=1e-9, atol=1e-15)
            assert not gradient[b, frames[b] :].any()


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_is_refused(label):
    with pytest.raises(ValueError, match=rf"label {label} of item 0 at column 1 is outside 0 \.\. 2"):
        ctc(random_log_probs(0, 4, 3), [label])


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="item 0 has length 0 along n, so that its lattice has no cell"):
        ctc(np.zeros((0, 3)), [1])


def test_the_best_labelling():
    log_probs = np.log([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.2, 0.1, 0.7]])
    result = ctc(log_probs, [1, 2], semiring=dp.Tropical)
    assert extend([1, 2])[result.path[:, 1]].tolist() == [1, 0, 2, 2]


# --- durations, wildcards ----------------------------------------------------------------------------------------------


def lasting(log_probs, labels, least, most, semiring=LIKELIHOOD, **how):
    """Durations on the two planes that the topology reads."""
    cost = -log_probs[:, labels]
    blank = np.repeat(-log_probs[:, :1], len(labels) + 1, axis=1)
    return solve(T.ctc_durations(least, most), {"cost": cost, "blank": blank}, semiring, labels=np.array([*labels, 0]), **how)


@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 2], [2, 1, 2]])
@pytest.mark.parametrize("frames", [1, 3, 6])
def test_without_limits_durations_are_ctc(frames, labels):
    """The same number of paths, the same sum over them, on half the columns."""
    log_probs = random_log_probs(frames, frames, 3)
    assert lasting(log_probs, labels, 1, None).total == pytest.approx(ctc(log_probs, labels).total, rel=1e-12)
    counts = [f.total for f in (lasting(log_probs, labels, 1, None, dp.Counting), ctc(log_probs, labels, semiring=dp.Counting))]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("least", "most"), [(2, None), (1, 2), (2, 3), (3, 3)])
def test_one_label_of_limited_length(least, most):
    """In T frames it has T - d + 1 places for each length d that it may last."""
    for frames in range(1, 7):
        count = lasting(random_log_probs(0, frames, 2), [1], least, most, dp.Counting).total
        assert count == sum(frames - d + 1 for d in range(least, min(most or frames, frames) + 1))


def test_the_best_path_of_limited_lengths():
    log_probs = np.log([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.9, 0.1]])
    free, long = (lasting(log_probs, [1], least, None, dp.Tropical).path_states.tolist() for least in (1, 2))
    assert free == ["blank", "label1", "blank", "blank"] and long == ["blank", "label1", "label2", "blank"]


@pytest.mark.parametrize("labels", [[], [1, 2], [1, 1]])
def test_wildcards_take_every_stretch_of_frames(labels):
    log_probs, extended = random_log_probs(3, 5, 3), extend(labels)
    result = solve(T.ctc_wildcard(), -dp.costs.gather(log_probs, extended), labels=extended)
    parts = [math.exp(-ctc(log_probs[a:b], labels).total) for a, b in itertools.combinations(range(6), 2)]
    assert result.total == pytest.approx(-math.log(sum(parts)), rel=1e-12)


# --- without blank -----------------------------------------------------------------------------------------------------


def test_labels_without_blank_cut_the_frames():
    """U labels over T frames: C(T - 1, U - 1) ways to cut; more labels than frames have none."""
    for frames, labels in itertools.product(range(1, 6), repeat=2):
        count = solve(T.ctc_without_blank(), np.zeros((frames, labels)), dp.Counting).total
        assert count == math.comb(frames - 1, labels - 1)


def test_a_forced_alignment():
    log_probs = np.log([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    result = solve(T.ctc_without_blank(), -dp.costs.gather(log_probs, np.array([0, 1])), dp.Tropical)
    assert result.path.tolist() == [[0, 0], [1, 0], [2, 1]]
    assert result.total == pytest.approx(-math.log(0.9 * 0.8 * 0.7))


# --- transducers -------------------------------------------------------------------------------------------------------


def planes(log_probs, labels, blank=0):
    return {"blank": -log_probs[..., blank], "label": -log_probs[:, np.arange(len(labels)), labels]}


@pytest.mark.parametrize("monotonic", [False, True])
def test_the_number_of_transducer_paths(monotonic):
    """U labels among T + U - 1 moves before the last blank; monotonic: among T moves."""
    for frames, labels in itertools.product(range(1, 6), range(5)):
        cost = {"blank": np.zeros((frames, labels + 1)), "label": np.zeros((frames, labels))}
        wanted = math.comb(frames, labels) if monotonic else math.comb(frames + labels - 1, labels)
        assert solve(T.transducer(monotonic), cost, dp.Counting).total == wanted


def graves(log_probs, labels, blank=0):
    """The forward variables of the paper, in probabilities."""
    p = np.exp(log_probs)
    frames, places = p.shape[:2]
    alpha = np.zeros((frames, places))
    alpha[0, 0] = 1.0
    for t, u in itertools.product(range(frames), range(places)):
        if t:
            alpha[t, u] += alpha[t - 1, u] * p[t - 1, u, blank]
        if u:
            alpha[t, u] += alpha[t, u - 1] * p[t, u - 1, labels[u - 1]]
    return -math.log(alpha[-1, -1] * p[-1, -1, blank])


@pytest.mark.parametrize("labels", [[], [1], [2, 1], [1, 1, 2]])
@pytest.mark.parametrize("frames", [1, 3, 4])
def test_the_transducer_is_that_of_graves(frames, labels):
    log_probs = random_log_probs(frames, frames, len(labels) + 1, 3)
    result = solve(T.transducer(), planes(log_probs, labels))
    assert result.total == pytest.approx(graves(log_probs, labels), rel=1e-12)
    np.testing.assert_allclose(result.marginals["blank"].sum(axis=1), 1.0)  # every path leaves every frame by one blank
    np.testing.assert_allclose(result.marginals["label"].sum(axis=0), 1.0)  # and writes every label once
    assert result.marginals["blank"][-1, -1] == pytest.approx(1.0)


def test_one_frame_and_one_label_by_hand():
    """The label at (0, 0), then the blank at (0, 1)."""
    log_probs = np.log([[[0.3, 0.7], [0.6, 0.4]]])
    assert solve(T.transducer(), planes(log_probs, [1])).total == pytest.approx(-math.log(0.7 * 0.6))
    assert solve(T.transducer(monotonic=True), planes(log_probs, [1])).total == pytest.approx(-math.log(0.7))


def test_the_monotonic_transducer_writes_a_symbol_a_frame():
    """Frames with probabilities of their own: all choices of the frames that write, and all targets together have 1."""
    log_probs = random_log_probs(0, 4, 1, 3) + np.zeros((4, 5, 1))  # whatever has been written
    p = np.exp(log_probs[:, 0])
    everything = 0.0
    for size in range(5):
        for labels in itertools.product((1, 2), repeat=size):
            found = math.exp(-solve(T.transducer(monotonic=True), planes(log_probs[:, : size + 1], list(labels))).total)
            wanted = sum(
                math.prod(p[t, labels[frames.index(t)]] if t in frames else p[t, 0] for t in range(4))
                for frames in itertools.combinations(range(4), size)
            )
            assert found == pytest.approx(wanted)
            everything += found
    assert everything == pytest.approx(1.0)


def test_more_labels_than_frames_have_no_monotonic_path():
    result = solve(T.transducer(monotonic=True), planes(random_log_probs(0, 2, 4, 3), [1, 2, 1]))
    assert result.total == math.inf and not any(m.any() for m in result.marginals.values())


def test_a_label_plane_as_wide_as_the_blank_has_no_path():
    """As documented: it tells the size of the lattice, and the blank is then not read where the path ends."""
    assert solve(T.transducer(), {"blank": np.zeros((3, 2)), "label": np.zeros((3, 2))}).total == math.inf
    assert solve(T.transducer(), {"blank": np.zeros((3, 2)), "label": np.zeros((3, 1))}, dp.Counting).total == 3


def test_a_ragged_batch_of_transducers():
    log_probs = random_log_probs(0, 3, 4, 4, 3)
    targets, frames = [[1, 2, 1], [], [2]], [4, 2, 3]
    cost = {"blank": np.full((3, 4, 4), np.nan), "label": np.full((3, 4, 3), np.nan)}
    for b, labels in enumerate(targets):
        mine = planes(log_probs[b, : frames[b], : len(labels) + 1], labels)
        for name, plane in mine.items():
            cost[name][b, : plane.shape[0], : plane.shape[1]] = plane
    result = solve(T.transducer(), cost, engine="cpu", lengths=(np.array(frames), np.array([3, 0, 1])))
    wanted = [graves(log_probs[b, : frames[b], : len(labels) + 1], labels) for b, labels in enumerate(targets)]
    np.testing.assert_allclose(result.total, wanted, rtol=1e-12)


def test_the_transducer_of_speechbrain():
    """Its loss is a mean over frames, the gradient that it reports one of the sum; by make_transducer_numbers.py."""
    found = json.loads(Path(__file__).with_name("transducer_numbers.json").read_text())
    log_probs, labels, frames, sizes = (np.array(found[name]) for name in ("log_probs", "labels", "frames", "sizes"))
    items = np.arange(len(labels))[:, None, None]
    place = (items, np.arange(log_probs.shape[1])[:, None], np.arange(labels.shape[1]), labels[:, None, :])
    cost = {"blank": -log_probs[..., found["blank"]], "label": -log_probs[place]}
    result = solve(T.transducer(), cost, lengths=(frames, sizes))
    np.testing.assert_allclose(-result.total / frames, found["log_likelihood_per_frame"], rtol=1e-12)
    gradient = np.zeros(log_probs.shape)
    gradient[..., found["blank"]] = -result.marginals["blank"]
    np.add.at(gradient, place, -result.marginals["label"])
    np.testing.assert_allclose(gradient, found["gradient"], atol=1e-12)
