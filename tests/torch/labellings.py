"""CTC and its relatives by their definitions: every labelling of the frames is written down, and the right ones summed."""

import itertools

import torch


def runs(labelling):
    """The labels of the runs of equal labels, and how long each lasts."""
    found = [(label, len(list(run))) for label, run in itertools.groupby(labelling)]
    return [label for label, _ in found], [length for _, length in found]


def collapse(labelling, blank):
    return [label for label in runs(labelling)[0] if label != blank]


def summed(log_probs, accepted):
    """Minus the log of the sum of the probabilities of all labellings that are accepted, which torch can differentiate."""
    frames, classes = log_probs.shape
    found = [
        sum(log_probs[t, label] for t, label in enumerate(labelling)) + torch.zeros(())
        for labelling in itertools.product(range(classes), repeat=frames)
        if accepted(labelling)
    ]
    return -torch.logsumexp(torch.stack(found), 0) if found else torch.tensor(torch.inf, dtype=log_probs.dtype)


def ctc(log_probs, target, blank=0):
    return summed(log_probs, lambda labelling: collapse(labelling, blank) == list(target))


def normalised(seed, *shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator).log_softmax(-1)


def ragged(seed, items=20, frames=30, classes=6, labels=12, blank=0, dtype=torch.float64):
    """Scores (T, N, C), padded targets and lengths as torch takes them; most targets fit, some have repeats or are empty."""
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(frames, items, classes, dtype=dtype, generator=generator)
    sizes = torch.randint(0, labels + 1, (items,), generator=generator)
    lengths = torch.randint(frames // 2, frames + 1, (items,), generator=generator)
    targets = torch.randint(0, classes - 1, (items, labels), generator=generator)
    return scores, targets + (targets >= blank), lengths, sizes


def agree(loss, wanted, x):
    """Value and gradient of two functions of x."""
    x = x.clone().requires_grad_()
    found, expected = loss(x), wanted(x)
    torch.testing.assert_close(found, expected.to(found.dtype), rtol=1e-10, atol=1e-12)
    if torch.isfinite(expected) and expected.requires_grad:
        torch.testing.assert_close(*(torch.autograd.grad(f, x)[0] for f in (found, expected)), rtol=1e-9, atol=1e-12)
    else:
        assert not torch.autograd.grad(found, x)[0].any()


def alone(loss, target, **how):
    """The loss of one item as a function of its log-probabilities."""
    labels = torch.tensor(target, dtype=torch.long)
    return lambda x: loss(x, labels, (len(x),), (len(target),), reduction="sum", **how)
