"""Presets x semirings x {gradcheck, gradgradcheck, vmap, compile, kinds of number}.

Gradients are checked against differences in float64, off the kinks: the random costs have no ties. Semirings without a
derivative have a total and refuse the rest. CI takes kinds of number of every second pair, with their gradients, and gradients
against differences of every fourth; what is slow, second derivatives, maps and graphs, of a cover in which every preset
meets some semirings and every semiring many presets. `make proof` takes every pair of all.
"""

import pytest
import torch
from catalogue import PRESETS, SEMIRINGS
from tensors import Case
from torch.autograd import gradcheck, gradgradcheck

DERIVATIVE = [s for s in SEMIRINGS if SEMIRINGS[s].derivative]
PAIRS = [(p, s) for p in PRESETS for s in SEMIRINGS]
SMOOTH = [(p, s) for p, s in PAIRS if s in DERIVATIVE]
# one of so many pairs
SHARE = {"test_gradcheck": 4} | dict.fromkeys(("test_gradgradcheck", "test_vmap", "test_compile"), len(DERIVATIVE))
EVERY_SECOND = PAIRS[::2]
EPS = 1e-6


def cover(test):
    """One pair of so many, each preset and each semiring among them."""
    number = {p: i for i, p in enumerate(PRESETS)}, {s: j for j, s in enumerate(DERIVATIVE)}
    return [(p, s) for p, s in SMOOTH if (number[0][p] + number[1][s]) % SHARE[test] == 0]


def pytest_generate_tests(metafunc):
    if "preset" in metafunc.fixturenames:
        test = metafunc.function.__name__
        pairs, whole = PAIRS if test == "test_kinds_of_number" else SMOOTH, metafunc.config.getoption("--full-product")
        if not whole:
            pairs = cover(test) if test in SHARE else EVERY_SECOND
        metafunc.parametrize("preset, semiring", [pytest.param(*pair, id=" ".join(pair)) for pair in pairs])


def test_gradcheck(preset, semiring):
    """Reverse and forward mode, and both over a batch of directions."""
    case = Case(preset, semiring)
    assert case.reached.any()
    assert gradcheck(
        case.total, case.inputs, eps=EPS, atol=1e-5, fast_mode=True, check_forward_ad=True, check_batched_grad=True,
        check_batched_forward_grad=True,
    )  # fmt: skip


def test_gradgradcheck(preset, semiring):
    case = Case(preset, semiring, batch=1)
    assert gradgradcheck(case.total, case.inputs, eps=EPS, atol=1e-4, fast_mode=True, check_fwd_over_rev=True)


def moved(case, steps=3):
    """The inputs a few times over, each time moved by a little."""
    generator = torch.Generator().manual_seed(0)
    return [
        torch.stack([v.detach() + 0.1 * torch.rand(v.shape, generator=generator, dtype=v.dtype) for _ in range(steps)])
        for v in case.inputs
    ]


def close(found, wanted, tolerance=1e-10):
    wanted = wanted.detach()
    size = wanted[torch.isfinite(wanted)].abs().max() if torch.isfinite(wanted).any() else 1.0
    torch.testing.assert_close(found.detach().to(wanted.dtype), wanted, rtol=0, atol=tolerance * max(1.0, float(size)))


def test_vmap(preset, semiring):
    """A mapped call, and a mapped gradient, are those of the items one by one; also where but one input is mapped."""
    case = Case(preset, semiring)
    stacks = moved(case)
    close(torch.func.vmap(case.total)(*stacks), torch.stack([case.total(*values) for values in zip(*stacks)]))

    def gradients(*values):
        return torch.func.grad(lambda *v: case.total(*v).sum(), tuple(range(len(values))))(*values)

    one_by_one = [gradients(*values) for values in zip(*stacks)]
    for found, wanted in zip(torch.func.vmap(gradients)(*stacks), zip(*one_by_one)):
        close(found, torch.stack(wanted))
    for i, stack in enumerate(stacks):
        rest = list(case.inputs)
        dims = tuple(0 if j == i else None for j in range(len(stacks)))
        found = torch.func.vmap(case.total, dims)(*rest[:i], stack, *rest[i + 1 :])
        close(found, torch.stack([case.total(*rest[:i], value, *rest[i + 1 :]) for value in stack]))


KINDS = (torch.float32, torch.float16, torch.bfloat16)


def test_kinds_of_number(preset, semiring):
    """Numbers of less precision give what float64 gives for these very numbers; half precision is summed in float32."""
    kind = KINDS[(list(PRESETS).index(preset) + list(SEMIRINGS).index(semiring)) % 3]
    case = Case(preset, semiring, dtype=kind)
    exact = tuple(v.detach().double().requires_grad_() for v in case.inputs)
    found, wanted = case.total(*case.inputs), case.total(*exact)
    assert found.dtype == torch.float32 and wanted.dtype == torch.float64
    close(found, wanted, 2e-5)
    if not SEMIRINGS[semiring].derivative:
        assert not found.requires_grad
        with pytest.raises(TypeError, match="discrete"):
            _ = case.solve(*case.inputs).marginals
        return
    rough = torch.autograd.grad(found.sum(), case.inputs, allow_unused=True)
    sharp = torch.autograd.grad(wanted.sum(), exact, allow_unused=True)
    for short, a, b in zip(case.inputs, rough, sharp):
        assert a.dtype == short.dtype
        close(a, b, {torch.float32: 2e-4, torch.float16: 2e-3, torch.bfloat16: 2e-2}[kind])


def test_compile(preset, semiring):
    """Every preset and every semiring in a graph without breaks: total, gradient, and the gradient of a loss on the marginals."""
    case = Case(preset, semiring)

    def loss(*inputs):
        result = case.solve(*(v * 1.5 for v in inputs))
        planes = result.marginals
        return torch.where(torch.isfinite(result.total), result.total, 0.0).sum() + sum((p * p).sum() for p in planes.values())

    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found, wanted = compiled(*case.inputs), loss(*case.inputs)
    close(found, wanted)
    for a, b in zip(torch.autograd.grad(found, case.inputs), torch.autograd.grad(wanted, case.inputs)):
        close(a, b)


def test_the_grid_is_whole():
    assert len(PAIRS) == len(PRESETS) * len(SEMIRINGS)
    assert {p for p, _ in EVERY_SECOND} == set(PRESETS) and {s for _, s in EVERY_SECOND} == set(SEMIRINGS)
    for test in SHARE:
        assert {p for p, _ in cover(test)} == set(PRESETS)
        assert {s for _, s in cover(test)} == set(DERIVATIVE)
