"""Forced alignment beside the best of all labellings."""

import itertools
import math

import pytest
import torch
from labellings import collapse, normalised, ragged

from dpsemiring.torch import ctc_loss, forced_align


def best(log_probs, target, blank=0):
    """The labelling of the highest score among those that collapse to the target, and its score."""
    found = [
        (sum(log_probs[t, v].item() for t, v in enumerate(labelling)), labelling)
        for labelling in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs))
        if collapse(labelling, blank) == list(target)
    ]
    return max(found, default=(-math.inf, None))


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", [[], [1], [1, 1], [1, 2], [2, 1, 2]])
def test_it_is_the_best_of_all_labellings(target, blank):
    labels = target if blank == 0 else [v - 1 for v in target]
    x = normalised(len(target), 5, 3)
    score, labelling = best(x, labels, blank)
    found = forced_align(x, torch.tensor(labels, dtype=torch.long), blank=blank)
    assert found.labels.tolist() == list(labelling)
    assert found.score.item() == pytest.approx(score)
    torch.testing.assert_close(found.scores, x[range(5), labelling])


def test_places_and_spans_tell_the_same():
    x = torch.full((8, 3), -5.0)
    for t, v in enumerate([0, 1, 1, 0, 1, 2, 2, 0]):
        x[t, v] = -0.5 - 0.125 * t
    found = forced_align(x, torch.tensor([1, 1, 2]))
    assert found.labels.tolist() == [0, 1, 1, 0, 1, 2, 2, 0]
    assert found.places.tolist() == [-1, 0, 0, -1, 1, 2, 2, -1]
    assert found.starts.tolist() == [1, 4, 5] and found.ends.tolist() == [3, 5, 7]
    spans = [(span.label, span.place, span.start, span.end, span.score, len(span)) for span in found.spans]
    assert spans == [(1, 0, 1, 3, -0.6875, 2), (1, 1, 4, 5, -1.0, 1), (2, 2, 5, 7, -1.1875, 2)]


def test_a_ragged_batch_is_its_items():
    scores, targets, frames, sizes = ragged(0, items=8, labels=6)
    frames[6], sizes[6], sizes[7] = 0, 0, 0
    x = scores.log_softmax(-1).transpose(0, 1)
    poisoned = x.masked_fill((torch.arange(30) >= frames[:, None])[..., None], math.nan)
    nonsense = torch.where(torch.arange(6) < sizes[:, None], targets, -99)
    together = forced_align(poisoned, nonsense, frames, sizes)
    joined = forced_align(poisoned, nonsense[torch.arange(6) < sizes[:, None]], frames, sizes)
    for b, (n, s) in enumerate(zip(frames.tolist(), sizes.tolist())):
        alone = forced_align(x[b, :n], targets[b, :s])
        for found in (together, joined):
            assert torch.equal(found.labels[b, :n], alone.labels) and (found.labels[b, n:] == -1).all()
            assert torch.equal(found.places[b, :n], alone.places) and (found.places[b, n:] == -1).all()
            assert torch.equal(found.scores[b, :n], alone.scores) and not found.scores[b, n:].any()
            assert torch.equal(found.starts[b, :s], alone.starts) and (found.starts[b, s:] == -1).all()
        assert together.spans[b] == alone.spans and len(alone.spans) == s


def test_what_does_not_fit():
    found = forced_align(normalised(0, 2, 3, 3), torch.tensor([[1, 1], [1, 2]]), (3, 3), (2, 2))
    assert (found.labels >= 0).all()
    found = forced_align(normalised(0, 2, 2, 3), torch.tensor([[1, 1], [1, 2]]))
    assert found.labels.tolist() == [[-1, -1], [1, 2]] and found.places.tolist() == [[-1, -1], [0, 1]]
    assert found.score[0] == -math.inf and torch.isfinite(found.score[1])
    assert found.spans[0] == [] and found.starts[0].tolist() == found.ends[0].tolist() == [-1, -1]


def test_the_scores_are_differentiable():
    """Minus their sum is the loss of training by hard alignment, which the loss over all alignments does not exceed."""
    x = normalised(1, 1, 6, 4).requires_grad_()
    found = forced_align(x, torch.tensor([[1, 3]]))
    gradient = torch.autograd.grad(-found.score.sum(), x)[0]
    wanted = torch.zeros(1, 6, 4, dtype=torch.float64).scatter(2, found.labels[..., None], -1.0)
    assert torch.equal(gradient, wanted)
    assert ctc_loss(x.transpose(0, 1), torch.tensor([[1, 3]]), (6,), (2,), reduction="sum") < -found.score.sum()


def test_half_precision():
    x = normalised(2, 2, 6, 4, dtype=torch.float32)
    found = forced_align(x.bfloat16(), torch.tensor([[1, 3], [2, 2]]))
    assert found.scores.dtype == torch.float32
    assert torch.equal(found.labels, forced_align(x.bfloat16().float(), torch.tensor([[1, 3], [2, 2]])).labels)


def test_an_empty_batch():
    found = forced_align(torch.zeros(0, 4, 3), torch.zeros(0, 2, dtype=torch.long))
    assert found.labels.shape == (0, 4) and found.starts.shape == (0, 2) and found.spans == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(2, 4, 3), torch.tensor([[1, 0], [1, 2]])), "label 0 of item 0 at place 1 is the blank"),
        ((torch.zeros(2, 4, 3), torch.tensor([[1, 2], [3, 2]])), "label 3 of item 1 at place 0 is outside"),
        ((torch.zeros(2, 4, 3), torch.tensor([1, 2, 1])), "one after the other need target_lengths"),
        ((torch.zeros(2, 4, 3), torch.tensor([[1, 2], [1, 2]]), (4, 5)), "input_lengths: item 1 has 5"),
        ((torch.zeros(4), torch.tensor([1])), "log_probs has the shape"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        forced_align(*arguments)
