"""Hidden Markov models and the auto segmentation criterion: the textbook algorithms by matrices."""

import itertools
import math

import numpy as np
import pytest

import dpsemiring as dp

T = dp.topologies
LIKELIHOOD = dp.Softmin(1.0)  # of negative log-probabilities: the negative log of the sum of probabilities


def solve(topology, cost, semiring=LIKELIHOOD, **params):
    return dp.compile(topology, semiring, engine="reference")(cost, params=params)


# --- hidden Markov models ----------------------------------------------------------------------------------------------


def random_hmm(seed, frames, states):
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet(np.ones(states), states)
    initial = rng.dirichlet(np.ones(states))
    return rng.random((frames, states)), {"transition": transition, "initial": initial}


@pytest.mark.parametrize("states", [1, 2, 3])
def test_the_forward_algorithm(states):
    """pi diag(b_0) A diag(b_1) A ... 1, by matrices, over costs and over scores."""
    emission, model = random_hmm(states, 6, states)
    forward = model["initial"] * emission[0]
    for b in emission[1:]:
        forward = forward @ model["transition"] * b
    logs = {name: np.log(p) for name, p in model.items()}
    assert solve(T.hmm(states), np.log(emission), dp.Log, **logs).total == pytest.approx(math.log(forward.sum()))
    costs = {name: -p for name, p in logs.items()}
    assert solve(T.hmm(states), -np.log(emission), **costs).total == pytest.approx(-math.log(forward.sum()))


def test_forward_and_backward_of_an_hmm():
    """The posterior of each state, and the expected number of each transition, by the forward-backward algorithm."""
    emission, model = random_hmm(0, 5, 3)
    a = model["transition"]
    alpha, beta = [model["initial"] * emission[0]], [np.ones(3)]
    for b in emission[1:]:
        alpha.append(alpha[-1] @ a * b)
    for b in emission[:0:-1]:
        beta.insert(0, a @ (b * beta[0]))
    total = alpha[-1].sum()
    result = solve(T.hmm(3), np.log(emission), dp.Log, **{name: np.log(p) for name, p in model.items()})
    np.testing.assert_allclose(result.marginals, np.array(alpha) * beta / total, rtol=1e-10)
    counts = sum(np.outer(alpha[t], emission[t + 1] * beta[t + 1]) * a for t in range(4)) / total
    np.testing.assert_allclose(result.grad("transition"), counts, rtol=1e-10)
    np.testing.assert_allclose(result.grad("initial"), alpha[0] * beta[0] / total, rtol=1e-10)


def test_viterbi():
    emission, model = random_hmm(1, 5, 3)
    result = solve(T.hmm(3), -np.log(emission), dp.Tropical, **{name: -np.log(p) for name, p in model.items()})

    def probability(states):
        p = model["initial"][states[0]] * math.prod(emission[t, k] for t, k in enumerate(states))
        return p * math.prod(model["transition"][i, j] for i, j in itertools.pairwise(states))

    best = max(itertools.product(range(3), repeat=5), key=probability)
    assert result.path_states.tolist() == [f"s{k}" for k in best]
    assert result.total == pytest.approx(-math.log(probability(best)))
    assert result.path[:, 1].tolist() == [0] * 5


def test_a_forbidden_transition():
    """-inf among the scores: a left-right model, which counts the ways of ctc_without_blank."""
    transition = np.where(np.eye(3) + np.eye(3, k=1) > 0, 0.0, -math.inf)
    initial = np.array([0.0, -math.inf, -math.inf])
    result = solve(T.hmm(3), np.zeros((5, 3)), dp.Log, transition=transition, initial=initial)
    assert math.exp(result.total) == pytest.approx(sum(math.comb(4, k) for k in range(3)))
    assert np.isfinite(result.grad("transition")).all() and result.grad("transition")[2, 0] == 0.0


@pytest.mark.parametrize("states", [0, -1, 2.0, True])
def test_a_wrong_number_of_states_is_refused(states):
    with pytest.raises(ValueError, match="the number of states, is a whole number >= 1"):
        T.hmm(states)


# --- the auto segmentation criterion ---------------------------------------------------------------------------------------


def asg_loss(emission, transition, labels):
    """As the docstring says; the loss and its gradient in the transitions."""
    before = np.roll(labels, 1)
    target = solve(
        T.asg(),
        dp.costs.gather(emission, labels),
        dp.Log,
        stay=transition[labels, labels],
        advance=transition[before, labels],
    )
    norm = solve(T.hmm(len(transition)), emission, dp.Log, transition=transition, initial=np.zeros(len(transition)))
    collected = np.zeros_like(transition)
    np.add.at(collected, (labels, labels), target.grad("stay"))
    np.add.at(collected, (before, labels), target.grad("advance"))
    return norm.total - target.total, norm.grad("transition") - collected, norm.marginals, target.grad("log_probs")


def test_the_asg_loss():
    """Against all labellings of the frames, which the criterion compares with those of the target."""
    rng = np.random.default_rng(0)
    emission, transition, labels = rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), np.array([2, 0, 2])

    def score(labelling):
        return sum(emission[t, v] for t, v in enumerate(labelling)) + sum(
            transition[i, j] for i, j in itertools.pairwise(labelling)
        )

    everything = list(itertools.product(range(3), repeat=5))
    of_target = [l for l in everything if [v for v, _ in itertools.groupby(l)] == labels.tolist()]
    wanted = math.log(sum(math.exp(score(l)) for l in everything)) - math.log(sum(math.exp(score(l)) for l in of_target))
    loss, gradient, norm, target = asg_loss(emission, transition, labels)
    assert loss == pytest.approx(wanted, rel=1e-12) and loss > 0
    for place in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[place] = 1e-5
        sides = [asg_loss(emission, transition + s * step, labels)[0] for s in (1, -1)]
        assert gradient[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-8)
    assert gradient.sum() == pytest.approx(0.0)  # both have T - 1 transitions
    np.testing.assert_allclose((norm - target).sum(axis=1), 0.0, atol=1e-12)
