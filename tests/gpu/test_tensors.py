"""Tensors whose numbers are on a device: autograd as on the CPU, and nothing looked at. The bridge leads to the stand-in."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.run import inputs
from dpsemiring.run.problem import Reading

torch = pytest.importorskip("torch")

from dpsemiring.testing.emulation.arrays import DeviceArray  # noqa: E402
from dpsemiring.torch import bridge  # noqa: E402

pytestmark = pytest.mark.emulation


@pytest.fixture
def across(emulated, monkeypatch):
    """Call it, and from then on the engine is given arrays of the stand-in in place of a tensor's; lengths stay the host's."""

    def array_of(tensor):
        array = tensor.detach().numpy()
        return array if tensor.dtype == torch.int64 and tensor.ndim == 1 else DeviceArray(array, emulated.device)

    def begin():
        monkeypatch.setattr(bridge, "array_of", array_of)
        monkeypatch.setattr(bridge, "tensor_of", lambda array: torch.from_numpy(array._array.copy()))

    return begin


def problem():
    cost = torch.rand((3, 5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    gamma = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    return cost, gamma, (torch.tensor([5, 3, 4]), torch.tensor([6, 6, 2]))


def derivatives(solver):
    """The total, its gradients, and those of a function of the marginals."""
    cost, gamma, lengths = problem()
    result = solver(cost, lengths, {"gamma": gamma})
    first = torch.autograd.grad(result.total.sum(), (cost, gamma), create_graph=True)
    second = torch.autograd.grad((first[0] ** 2).sum() + (result.marginals**3).sum() + first[1].sum(), (cost, gamma))
    return [x.detach().numpy() for x in (result.total, *first, *second, result.marginals, result.occupancy)]


def test_autograd_is_the_same(emulated, across):
    topology, semiring = dp.topologies.dtw(), dp.Softmin(dp.Param("gamma", axes="b"))
    wanted = derivatives(dp.compile(topology, semiring, engine="reference"))
    solver = emulated.solver(topology, semiring)
    across()
    for own, other in zip(derivatives(solver), wanted, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-12)
    assert emulated.device.looked == 0


def test_costs_of_sources_are_not_made(emulated, across, monkeypatch):
    """Frames of a table come before items, and are taken as they lie."""
    random = torch.Generator().manual_seed(1)
    x, y, scores = (torch.rand(s, generator=random, dtype=torch.float64) for s in ((2, 9, 3), (2, 40, 3), (9, 2, 5)))
    labels, flow = torch.randint(5, (2, 40), generator=random), torch.tensor([0.5, 2.0])

    def derivatives(solver):
        tensors = [t.clone().requires_grad_() for t in (x, y, scores)]
        cost = dp.costs.sqeuclidean(*tensors[:2]) + dp.costs.gather(tensors[2].transpose(0, 1), labels)
        total = solver(cost, (torch.tensor([9, 6]), torch.tensor([40, 31]))).total
        return [t.detach().numpy() for t in (total, *torch.autograd.grad((total * flow).sum(), tensors))]

    topology, semiring = dp.topologies.dtw(), dp.Softmin(0.5)
    wanted = derivatives(dp.compile(topology, semiring, engine="reference"))
    solver = emulated.solver(topology, semiring, needed=True)
    monkeypatch.setattr(inputs, "WORTH_FUSING", 0)
    monkeypatch.setattr(Reading, "made", None)
    across()
    for own, other in zip(derivatives(solver), wanted, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-12)
    assert emulated.device.looked == 0


def test_paths_and_check(emulated, across):
    solver = emulated.solver(dp.topologies.dtw(), dp.Tropical)
    across()
    cost = torch.tensor([[[1.0, 5.0], [2.0, 1.0]]], dtype=torch.float32)
    assert solver(cost).path[0].tolist() == [[0, 0], [1, 1]]
    cost[0, 0, 0] = -torch.inf
    assert solver(cost).total.isnan().all()
    with pytest.raises(ValueError, match="plane 'cost' holds -inf in item 0"):
        solver(cost, check=True)


def test_tensors_on_two_devices_are_refused():
    checks = pytest.importorskip("dpsemiring.torch.checks")
    with pytest.raises(TypeError, match=r"plane 'cost' is on cpu and params\['w'\] on meta; use one device: tensor.to\('cpu'\)"):
        checks.check_one_device([("plane 'cost'", torch.ones(1)), ("params['w']", torch.ones(1, device="meta"))])
    with pytest.raises(TypeError, match="plane 'cost' is on the device meta; dense tensors on the CPU or a CUDA device"):
        dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))(torch.ones((2, 3, 3), device="meta"))
