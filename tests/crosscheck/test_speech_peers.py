"""CTC against torch and ddtw, hidden Markov models against hmmlearn."""

import math

import numpy as np
import pytest

import dpsemiring as dp

T = dp.topologies


# --- torch's ctc_loss --------------------------------------------------------------------------------------------------


def batch(seed):
    """Ragged logits (B, T, V), targets and lengths; the blank is 0."""
    rng = np.random.default_rng(seed)
    frames, sizes = np.array([7, 5, 6, 4]), np.array([3, 2, 1, 2])
    targets = rng.integers(1, 4, (4, 3))
    targets[1, :2] = 2  # a repeated label
    return rng.normal(size=(4, 7, 4)), targets, frames, sizes


def normalised(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def ours(log_probs, targets, frames, sizes, blank=0):
    extended = np.full((len(targets), 2 * targets.shape[1] + 1), blank)
    extended[:, 1::2] = targets
    solver = dp.compile(T.ctc(), dp.Softmin(1.0), engine="reference")
    return solver(-dp.costs.gather(log_probs, extended), lengths=(frames, 2 * sizes + 1), params={"labels": extended})


def theirs(log_probs, targets, frames, sizes, blank=0):
    """torch's losses and the gradient that it reports for log_probs."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(log_probs).transpose(0, 1).contiguous().requires_grad_()
    arguments = (torch.tensor(v) for v in (targets, frames, sizes))
    loss = torch.nn.functional.ctc_loss(x, *arguments, blank=blank, reduction="none")
    loss.sum().backward()
    return loss.detach().numpy(), x.grad.transpose(0, 1).numpy()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("blank", [0, 3])
def test_the_ctc_loss(seed, blank):
    logits, targets, frames, sizes = batch(seed)
    data = normalised(logits), targets - (blank == 3), frames, sizes
    np.testing.assert_allclose(ours(*data, blank=blank).total, theirs(*data, blank=blank)[0], rtol=1e-12)


def test_its_gradient_is_that_of_the_logits():
    """torch returns exp(log_probs) - posterior: the derivative in the logits before a log_softmax, whatever was passed.

    The derivative in the log-probabilities is minus the posterior, which is ours; differences decide between the two.
    """
    logits, targets, frames, sizes = batch(0)
    log_probs = normalised(logits)
    result = ours(log_probs, targets, frames, sizes)
    mine, reported = result.grad("log_probs"), theirs(log_probs, targets, frames, sizes)[1]
    inside = (np.arange(7) < frames[:, None])[..., None]
    np.testing.assert_allclose(reported, np.where(inside, np.exp(log_probs) + mine, 0.0), atol=1e-12)
    assert np.abs(reported - mine).max() > 0.1
    moved = log_probs.copy()
    moved[0, 2, 1] += 1e-6
    for total in (lambda x: ours(x, targets, frames, sizes).total[0], lambda x: theirs(x, targets, frames, sizes)[0][0]):
        assert (total(moved) - total(log_probs)) / 1e-6 == pytest.approx(mine[0, 2, 1], abs=1e-5)
    np.testing.assert_allclose(mine.sum(axis=2), np.where(inside[..., 0], -1.0, 0.0), atol=1e-12)
    np.testing.assert_allclose(reported.sum(axis=2), 0.0, atol=1e-12)


def test_where_no_path_fits_theirs_is_nan():
    """Both say inf for a repeated label in two frames; the gradient is exactly 0 here, NaN there."""
    log_probs = normalised(np.random.default_rng(0).normal(size=(1, 2, 3)))
    data = log_probs, np.array([[1, 1]]), np.array([2]), np.array([2])
    mine, (loss, reported) = ours(*data), theirs(*data)
    assert mine.total[0] == loss[0] == math.inf
    assert (mine.grad("log_probs") == 0.0).all() and np.isnan(reported).any()


# --- hmmlearn ----------------------------------------------------------------------------------------------------------


def model(seed, states=3, symbols=4, frames=30):
    """hmmlearn's model with parameters set, and its observations; the same as (T, K) log-scores and params."""
    hmm = pytest.importorskip("hmmlearn.hmm")
    rng = np.random.default_rng(seed)
    theirs = hmm.CategoricalHMM(n_components=states, n_features=symbols)
    theirs.startprob_, theirs.transmat_ = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), states)
    theirs.emissionprob_ = rng.dirichlet(np.ones(symbols), states)
    seen = rng.integers(0, symbols, frames)
    params = {"initial": np.log(theirs.startprob_), "transition": np.log(theirs.transmat_)}
    return theirs, seen[:, None], np.log(theirs.emissionprob_).T[seen], params


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_and_the_posterior_of_hmmlearn(seed):
    theirs, seen, scores, params = model(seed)
    result = dp.compile(T.hmm(3), dp.Log, engine="reference")(scores, params=params)
    likelihood, posterior = theirs.score_samples(seen)
    assert result.total == pytest.approx(likelihood, rel=1e-10)
    np.testing.assert_allclose(result.marginals, posterior, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_the_path_of_hmmlearn(seed):
    theirs, seen, scores, params = model(seed)
    result = dp.compile(T.hmm(3), dp.MaxPlus, engine="reference")(scores, params=params)
    likelihood, path = theirs.decode(seen, algorithm="viterbi")
    assert result.total == pytest.approx(likelihood, rel=1e-10)
    assert result.path_states.tolist() == [f"s{k}" for k in path]


# --- ddtw ------------------------------------------------------------------------------------------


def ddtw_ctc(log_probs, labels):
    """Total (its loss is divided by the number of labels) and gradient by ddtw, float64."""
    torch, peer = pytest.importorskip("torch"), pytest.importorskip("ddtw")
    X = torch.tensor(log_probs[None], dtype=torch.float64, requires_grad=True)
    loss = peer.CTC(backend="torch", dtype_float=torch.float64)(X, torch.tensor([labels]))
    loss.backward()
    return float(loss.detach()) * len(labels), X.grad[0].numpy() * len(labels)


def our_ctc(log_probs, labels):
    return ours(log_probs[None], np.array([labels]), np.array([len(log_probs)]), np.array([len(labels)]))


@pytest.mark.parametrize("labels", [[1], [1, 2], [2, 2], [1, 2, 1]])
def test_the_ctc_of_ddtw(labels):
    rng = np.random.default_rng(len(labels))
    log_probs = np.log(rng.dirichlet(np.ones(4), size=6))
    total, gradient = ddtw_ctc(log_probs, labels)
    mine = our_ctc(log_probs, labels)
    assert mine.total[0] == pytest.approx(total, rel=1e-9)
    np.testing.assert_allclose(mine.grad("log_probs")[0], gradient, atol=1e-9)


def test_ddtw_gives_a_number_where_a_repeated_label_does_not_fit():
    """Its forbidden moves weigh 1e20: "1 1" in two frames costs that much, or 0 where the label is certain; there is no path."""
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=2))
    assert our_ctc(log_probs, [1, 1]).total == math.inf
    assert 1e18 < ddtw_ctc(log_probs, [1, 1])[0] < math.inf
    certain = np.full((2, 3), -1e3)
    certain[:, 1] = 0.0
    assert our_ctc(certain, [1, 1]).total == math.inf
    assert ddtw_ctc(certain, [1, 1])[0] == pytest.approx(0.0, abs=1e-6)
