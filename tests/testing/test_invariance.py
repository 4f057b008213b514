"""What holds for every semiring: batches, order, padding, repetition, transposition, differences, threads, forks."""

import math
import multiprocessing
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import assert_gradients, samples

DTW = dp.topologies.dtw()
GAMMA = 0.7
EVERY = {s.name: s for s in (*samples.built_in(GAMMA), *samples.every(GAMMA))}
COMPILED = [(name, "cpu") for name in ("Tropical", "Softmin", "Sparsemin", "Counting")]
everywhere = pytest.mark.parametrize("name, engine", [*((n, "reference") for n in EVERY), *COMPILED])


def solver(name, engine):
    return dp.compile(DTW, EVERY[name], engine=engine)


def everything(result):
    """All that a result holds, by name; arrays with a batch axis."""
    found = {f"output {n}": v for n, v in result.outputs.items()} | {"accumulated": result.accumulated_cost}
    if result._solver.semiring.derivative:
        found |= {"marginals": result.marginals, "occupancy": result.occupancy}
    return found


def bit_for_bit(found, wanted, at=np.s_[:]):
    for name, array in everything(wanted).items():
        np.testing.assert_array_equal(everything(found)[name][at], array, err_msg=name)


def random_costs(*shape):
    return np.random.default_rng(5).random(shape) + 0.1


@everywhere
def test_batch_invariance(name, engine):
    cost, solve = random_costs(3, 5, 4), solver(name, engine)
    together = solve(cost)
    for b in range(3):
        bit_for_bit(together, solve(cost[b]), b)


@everywhere
def test_permutation_invariance(name, engine):
    cost, order, solve = random_costs(4, 5, 4), [2, 0, 3, 1], solver(name, engine)
    n, m = np.array([5, 2, 4, 3]), np.array([1, 4, 3, 4])
    one, other = everything(solve(cost, (n, m))), everything(solve(cost[order], (n[order], m[order])))
    for what, array in one.items():
        np.testing.assert_array_equal(array[order], other[what], err_msg=what)


@everywhere
def test_padding_invariance(name, engine):
    """However much padding there is, and whatever stands in it."""
    cost, solve = random_costs(2, 5, 4), solver(name, engine)
    exact = everything(solve(cost))
    for poison in (math.nan, math.inf, -math.inf):
        padded = np.full((2, 9, 11), poison)
        padded[:, :5, :4] = cost
        found = everything(solve(padded, (5, 4)))
        for what, array in exact.items():
            inside = np.s_[:, :5, :4] if array.ndim > 1 else np.s_[:]
            np.testing.assert_array_equal(found[what][inside], array, err_msg=what)
        for what in {"marginals", "occupancy"} & set(found):
            assert not found[what][:, 5:].any() and not found[what][:, :, 4:].any()


@everywhere
def test_bitwise_repeatability(name, engine):
    cost, solve = random_costs(3, 6, 5), solver(name, engine)
    first = solve(cost)
    bit_for_bit(solve(cost.copy()), first)
    bit_for_bit(solver(name, engine)(cost), first)


@everywhere
def test_transposition_symmetry(name, engine):
    """The steps are symmetric, so the transposed cost has the transposed alignment."""
    cost, solve = random_costs(2, 5, 4), solver(name, engine)
    one, other = everything(solve(cost)), everything(solve(np.swapaxes(cost, 1, 2)))
    for what, array in one.items():
        turned = np.swapaxes(other[what], 1, 2) if array.ndim > 1 else other[what]
        np.testing.assert_allclose(turned, array, rtol=1e-12, atol=1e-12, err_msg=what)


@pytest.mark.parametrize("name", [n for n, s in EVERY.items() if s.derivative])
def test_gradient_against_finite_differences(name):
    assert_gradients(DTW, EVERY[name], cost=random_costs(2, 3, 4), lengths=([3, 2], [4, 4]), engine="reference")


def test_a_thread_pool_under_stress():
    """Many threads call few solvers, which spread their items over threads of their own."""
    cost = np.random.default_rng(3).random((6, 150, 140))
    solvers = [solver("Softmin", "cpu"), solver("Tropical", "cpu")]
    wanted = [(s(cost).marginals, s(cost).total) for s in solvers]

    def call(i):
        kind, size = i % 2, 1 + i % 6
        result = solvers[kind](cost[:size])
        np.testing.assert_array_equal(result.marginals, wanted[kind][0][:size])
        np.testing.assert_array_equal(result.total, wanted[kind][1][:size])
        return size

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(64))) == sum(1 + i % 6 for i in range(64))


def test_fork_then_call():
    """A child of a process that has used its pool calls forward, backward and paths."""
    cost = np.random.default_rng(3).random((6, 150, 140))
    soft, hard = solver("Softmin", "cpu"), solver("Tropical", "cpu")
    wanted = soft(cost).marginals, [p.tolist() for p in hard(cost).path]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads about is the point here
        child = context.Process(target=lambda: queue.put((soft(cost).marginals, [p.tolist() for p in hard(cost).path])))
        child.start()
    marginals, paths = queue.get(timeout=60)
    child.join(timeout=60)
    np.testing.assert_array_equal(marginals, wanted[0])
    assert paths == wanted[1] and child.exitcode == 0
