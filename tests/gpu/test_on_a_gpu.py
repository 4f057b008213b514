"""What only a GPU can show: streams, captured graphs, allocators, torch's tensors. The parity of everything is in
`test_device_arrays`."""

import numpy as np
import pytest

import dpsemiring as dp

pytestmark = pytest.mark.gpu


def cost_of(batch=4, n=70, m=90, seed=0):
    return np.random.default_rng(seed).random((batch, n, m)).astype(np.float32)


def solver():
    return dp.compile(dp.topologies.dtw(), dp.Softmin(0.1))


def wanted(cost):
    result = dp.compile(dp.topologies.dtw(), dp.Softmin(0.1), engine="reference")(cost)
    return result.total, result.marginals


def check(found, cost):
    for own, other in zip(found, wanted(cost), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5)


# --- CuPy ---------------------------------------------------------------------------------------------


def test_the_current_stream_and_the_current_allocator():
    import cupy

    cost, taken = cupy.asarray(cost_of()), []
    cupy.cuda.Device().synchronize()
    pool = cupy.cuda.MemoryPool()

    def allocate(size):
        taken.append(size)
        return pool.malloc(size)

    with cupy.cuda.Stream(non_blocking=True) as stream, cupy.cuda.using_allocator(allocate):
        result = solver()(cost)
        found = result.total, result.marginals
        stream.synchronize()
    assert sum(taken) >= cost.nbytes
    check([cupy.asnumpy(x) for x in found], cost_of())


def test_a_captured_graph_follows_its_input():
    import cupy

    cost, s = cupy.asarray(cost_of()), solver()
    with cupy.cuda.Stream(non_blocking=True) as stream:

        def call():
            result = s(cost)
            return result.total, result.marginals

        call()  # compiles, and brings the constants over
        stream.begin_capture()
        found = call()
        graph = stream.end_capture()
        for seed in (0, 1):
            cost[...] = cupy.asarray(cost_of(seed=seed))
            graph.launch(stream)
            stream.synchronize()
            check([cupy.asnumpy(x) for x in found], cost_of(seed=seed))


def test_ten_runs_give_the_same_bits():
    import cupy

    cost, s = cupy.asarray(cost_of(8, 300, 200)), solver()
    first = s(cost)
    for _ in range(10):
        again = s(cost)
        assert bool((again.total == first.total).all()) and bool((again.marginals == first.marginals).all())


def test_numpy_goes_there_and_comes_back():
    cost = cost_of()
    result = dp.compile(dp.topologies.dtw(), dp.Softmin(0.1), engine="gpu")(cost)
    assert isinstance(result.marginals, np.ndarray)
    check((result.total, result.marginals), cost)


# --- torch --------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA device")
    return torch


def test_tensors_and_their_gradients(torch):
    cost = torch.tensor(cost_of(), device="cuda", requires_grad=True)
    total = solver()(cost).total
    total.sum().backward()
    assert total.device == cost.device and cost.grad.device == cost.device
    check((total.detach().cpu().numpy(), cost.grad.cpu().numpy()), cost_of())


def test_second_derivatives_of_tensors(torch):
    cost = torch.rand((2, 6, 5), dtype=torch.float64, device="cuda", requires_grad=True)
    s = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5))
    assert torch.autograd.gradcheck(lambda c: s(c).total, cost)
    assert torch.autograd.gradgradcheck(lambda c: s(c).total, cost)


def test_memory_is_torchs(torch):
    import cupy

    cost, s = torch.tensor(cost_of(8, 300, 300), device="cuda"), solver()
    s(cost).total  # noqa: B018 - constants have come over
    before, own = torch.cuda.memory_allocated(), cupy.get_default_memory_pool().used_bytes()
    marginals = s(cost).marginals
    assert torch.cuda.memory_allocated() - before >= marginals.nbytes
    assert cupy.get_default_memory_pool().used_bytes() == own
    del marginals
    assert torch.cuda.memory_allocated() == before


def test_the_current_stream_of_torch(torch):
    cost, stream = torch.tensor(cost_of(), device="cuda"), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = solver()(cost)
        found = result.total, result.marginals
    stream.synchronize()
    check([x.cpu().numpy() for x in found], cost_of())


def test_torch_captures_a_graph(torch):
    cost, s = torch.tensor(cost_of(), device="cuda", requires_grad=True), solver()

    def step():
        total = s(cost).total
        (flow,) = torch.autograd.grad(total.sum(), cost)
        return total, flow

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = step()
    for seed in (0, 1):
        with torch.no_grad():
            cost.copy_(torch.tensor(cost_of(seed=seed)))
        graph.replay()
        torch.cuda.synchronize()
        check([x.detach().cpu().numpy() for x in found], cost_of(seed=seed))


def test_tensors_on_two_devices(torch):
    t = dp.Topology([dp.Step(1, 1, weight=dp.Param("w", axes="m")), dp.Step(1, 0), dp.Step(0, 1)])
    with pytest.raises(TypeError, match="plane 'cost' is on cuda:0 and params\\['w'\\] on cpu; use one device"):
        dp.compile(t, dp.Softmin(1.0))(torch.ones((2, 3, 3), device="cuda"), None, {"w": torch.ones(3)})
