"""Forced alignment against torchaudio, which aligns one item at a time."""

import pytest
import torch

from dpsemiring.torch import forced_align


@pytest.fixture(scope="module")
def peer():
    try:
        from torchaudio.functional import forced_align
    except (ImportError, OSError) as error:  # wheels of torchaudio are built for CUDA, and may not load beside a CPU torch
        pytest.skip(f"torchaudio does not load: {error}")
    return forced_align


def ragged(seed, items=8, frames=40, classes=6, labels=10):
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(items, frames, classes, dtype=torch.float64, generator=generator).log_softmax(-1)
    targets = torch.randint(1, classes, (items, labels), generator=generator)
    return (
        log_probs,
        targets,
        torch.randint(25, frames + 1, (items,), generator=generator),
        torch.randint(1, labels, (items,), generator=generator),
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("blank", [0, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_alignment_of_torchaudio(peer, seed, blank):
    log_probs, targets, frames, sizes = ragged(seed)
    targets = targets - int(blank == 5)
    found = forced_align(log_probs, targets, frames, sizes, blank=blank)
    for b, (n, s) in enumerate(zip(frames.tolist(), sizes.tolist())):
        one = log_probs[b : b + 1, :n], targets[b : b + 1, :s], torch.tensor([n]), torch.tensor([s])
        labels, scores = peer(*one, blank=blank)
        assert torch.equal(found.labels[b, :n], labels[0].long())
        torch.testing.assert_close(found.scores[b, :n], scores[0])


@pytest.mark.filterwarnings("ignore")
def test_the_spans_of_torchaudio(peer):
    from torchaudio.functional import merge_tokens

    log_probs, targets, frames, sizes = ragged(5)
    found = forced_align(log_probs, targets, frames, sizes)
    for b, (n, s) in enumerate(zip(frames.tolist(), sizes.tolist())):
        labels, scores = peer(log_probs[b : b + 1, :n], targets[b : b + 1, :s], torch.tensor([n]), torch.tensor([s]))
        theirs = [(span.token, span.start, span.end, pytest.approx(span.score)) for span in merge_tokens(labels[0], scores[0])]
        assert [(span.label, span.start, span.end, span.score) for span in found.spans[b]] == theirs
