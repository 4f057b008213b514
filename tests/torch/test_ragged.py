"""Ragged series in every form that torch has: the same loss and the same gradients as padded tensors with lengths."""

import math

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import dpsemiring as dp
from dpsemiring.torch import AlignmentLoss, padded, similarity_loss, soft_dtw, soft_dtw_divergence

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")  # of the strided layout
N, M = [3, 5, 2], [4, 1, 3]
FORMS = ["list", "tuple", "packed", "packed by order", "nested strided", "nested jagged"]


def series(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 2, dtype=torch.float64, generator=generator).requires_grad_() for n in lengths]


def as_form(form, items):
    if form == "packed":
        return pack_sequence(items, enforce_sorted=False)
    if form == "packed by order":
        return pack_sequence(items, enforce_sorted=True)
    if form.startswith("nested"):
        return torch.nested.as_nested_tensor(items, layout=torch.jagged if form.endswith("jagged") else torch.strided)
    return tuple(items) if form == "tuple" else items


def in_tensor(items, poison=math.nan):
    """Padded by hand, with something that must not come through."""
    out = torch.full((len(items), max(map(len, items)), *items[0].shape[1:]), poison, dtype=items[0].dtype)
    for row, item in zip(out, items):
        row[: len(item)] = item.detach()
    return out.requires_grad_()


@pytest.mark.parametrize("form", FORMS)
def test_padded(form):
    items = series(sorted(N, reverse=True) if form == "packed by order" else N)
    tensor, lengths = padded(as_form(form, items))
    assert lengths.tolist() == [len(item) for item in items] and tensor.shape == (3, 5, 2) and lengths.dtype == torch.int64
    for row, item, n in zip(tensor, items, lengths):
        assert torch.equal(row[:n], item) and not row[n:].any()
    (tensor * torch.arange(30.0).reshape(3, 5, 2)).sum().backward()
    assert torch.equal(items[1].grad[-1], torch.arange(30.0, dtype=torch.float64).reshape(3, 5, 2)[1, len(items[1]) - 1])


def test_a_dense_tensor_is_given_back():
    x = torch.zeros(2, 3, 1)
    assert padded(x) == (x, None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", [soft_dtw, soft_dtw_divergence], ids=lambda f: f.__name__)
def test_every_form_is_padding_with_lengths(function, form):
    """Padding holds NaN there."""
    lengths = sorted(N, reverse=True) if form == "packed by order" else N
    x, y = series(lengths), series(M, 1)
    whole_x, whole_y = in_tensor(x), in_tensor(y)
    found = function(as_form(form, x), y, 0.5, reduction="none")
    wanted = function(whole_x, whole_y, 0.5, lengths=(torch.tensor(lengths), torch.tensor(M)), reduction="none")
    assert found.isfinite().all() and torch.equal(found, wanted)
    found.sum().backward()
    wanted.sum().backward()
    for items, whole in ((x, whole_x), (y, whole_y)):
        for item, row in zip(items, whole.grad):
            torch.testing.assert_close(item.grad, row[: len(item)], rtol=1e-12, atol=1e-12)
            assert not row[len(item) :].any()
    one = function(x[1], y[1], 0.5)
    torch.testing.assert_close(one, found[1])


def test_one_side_ragged():
    x, y = series(N), torch.randn(3, 4, 2, dtype=torch.float64)
    ragged = soft_dtw(x, y, reduction="none", lengths=(None, [4, 1, 3]))
    torch.testing.assert_close(ragged, soft_dtw(x, [row[:m] for row, m in zip(y, M)], reduction="none"))
    torch.testing.assert_close(soft_dtw(x, y), soft_dtw(x, list(y)))
    torch.testing.assert_close(soft_dtw(x, y[0]), soft_dtw(x, y[:1].expand(3, 4, 2)))  # one that serves every item
    torch.testing.assert_close(soft_dtw(y[0], x), soft_dtw(y[:1].expand(3, 4, 2), x))


@pytest.mark.parametrize("form", ["list", "nested strided", "nested jagged", "padded"])
def test_ragged_labels(form):
    loss = AlignmentLoss(dp.topologies.dtw(), dp.Softmin(0.5), cost="nll", reduction="none", engine="reference")
    log_p = [torch.randn(n, 6, dtype=torch.float64).log_softmax(-1) for n in N]
    labels = [torch.randint(6, (m,)) for m in M]
    given, lengths = (in_tensor_of_labels(labels), (None, torch.tensor(M))) if form == "padded" else (as_form(form, labels), None)
    found = loss(log_p, given, lengths)
    wanted = torch.stack([loss(a, b) for a, b in zip(log_p, labels)])
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def in_tensor_of_labels(labels):
    out = torch.full((len(labels), max(map(len, labels))), -99)
    for row, item in zip(out, labels):
        row[: len(item)] = item
    return out


def test_a_network_between():
    """Packed through a recurrent network and on into the loss."""
    torch.manual_seed(0)
    network = torch.nn.GRU(2, 2, batch_first=True).double()
    x = in_tensor(series([5, 3, 2]), poison=0.0)
    out, _ = network(pack_padded_sequence(x, torch.tensor([5, 3, 2]), batch_first=True))
    soft_dtw(out, series(M, 1)).backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters()) and not x.grad[1, 3:].any()


def test_similarity_of_ragged_series():
    x, z = series(N), series(N, 1)
    wanted = torch.stack([similarity_loss(a, b) for a, b in zip(z, x)])
    torch.testing.assert_close(similarity_loss(z, x, reduction="none"), wanted)
    whole = similarity_loss(in_tensor(z), in_tensor(x), lengths=torch.tensor(N), reduction="none")
    torch.testing.assert_close(whole, wanted)
    with pytest.raises(ValueError, match=r"lengths of prediction, \[3, 5, 2\], are not those of x, \[5, 3, 2\]"):
        similarity_loss(z, [x[1], x[0], x[2]])


def test_what_is_refused():
    x, dense = series(N), torch.zeros(2, 3, 1)
    for error, words, call in (
        (TypeError, "x is a list with a list; a tensor, a list of tensors", lambda: soft_dtw([[0.0], [1.0]], x)),
        (TypeError, "y is a float; a tensor", lambda: soft_dtw(x, 1.0)),
        (ValueError, "x has no series; an empty batch is", lambda: soft_dtw([], x)),
        (ValueError, r"x has series of the shapes \(2, 1\), \(3, 2\)", lambda: padded([x[0], torch.zeros(2, 1)])),
        (ValueError, "x is ragged and brings its own; pass None", lambda: soft_dtw(x, x, lengths=(torch.tensor(N), None))),
        (
            ValueError,
            "lengths is a pair",
            lambda: soft_dtw(dense, dense, lengths=torch.tensor([3, 2])),
        ),
    ):
        with pytest.raises(error, match=words):
            call()
