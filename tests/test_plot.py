"""Pictures: what is drawn, not how it looks."""

import sys

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring import plot

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


@pytest.fixture
def ax():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()
    plt.close("all")


def solve(topology, semiring, n=6, m=8):
    cost = np.random.default_rng(0).random((n, m))
    return cost, dp.compile(topology, semiring, engine="reference")(cost)


def test_cells_lie_at_origin_plus_step(ax):
    image = plot.matrix(ax, np.arange(6.0).reshape(2, 3), [[0, 0], [1, 2]], origin=(1.0, 10.0), step=(0.5, 2.0))
    assert image.get_extent() == [9.0, 15.0, 0.75, 1.75]
    assert ax.get_lines()[0].get_xydata().tolist() == [[10.0, 1.0], [14.0, 1.5]]


def test_one_origin_and_one_step_serve_both_axes(ax):
    assert plot.matrix(ax, np.zeros((2, 3)), origin=1.0, step=2.0).get_extent() == [0.0, 6.0, 0.0, 4.0]


def test_infinite_cells_take_no_part_in_the_scale(ax):
    image = plot.matrix(ax, [[0.0, np.inf], [2.0, np.nan]], kind="accumulated")
    assert (image.norm.vmin, image.norm.vmax) == (0.0, 2.0)
    assert image.get_array().mask.tolist() == [[False, True], [False, True]]


def test_a_faint_posterior_shows_and_a_signed_one_is_symmetric(ax):
    assert plot.matrix(ax, [[0.01, 1.0]], kind="posterior").norm(0.01) > 0.15
    signed = plot.matrix(ax, [[-0.1, 1.0]], kind="posterior")
    assert (signed.norm.vmin, signed.norm.vmax, signed.norm(0.0)) == (-1.0, 1.0, 0.5)


def test_nothing_to_colour_is_drawn_all_the_same(ax):
    plot.matrix(ax, np.full((2, 2), np.inf), np.zeros((0, 2), int))
    assert not ax.get_lines()


@pytest.mark.parametrize(
    ("array", "kind", "message"), [(np.zeros((2, 3, 4)), "cost", "shape"), (np.zeros((2, 3)), "costs", "posterior")]
)
def test_matrix_refuses(ax, array, kind, message):
    with pytest.raises(ValueError, match=message):
        plot.matrix(ax, array, kind=kind)


def test_signals_lie_beside_their_axes(ax):
    plot.matrix(ax, np.zeros((2, 3)))
    left, above = plot.signals(ax, [5.0, 6.0], [7.0, 8.0, 9.0])
    assert left.get_lines()[0].get_xydata().tolist() == [[5.0, 0.0], [6.0, 1.0]]
    assert above.get_lines()[0].get_xydata().tolist() == [[0.0, 7.0], [1.0, 8.0], [2.0, 9.0]]
    assert (left.get_ylim(), above.get_xlim()) == ((-0.5, 1.5), (-0.5, 2.5))


def test_warping_joins_the_pairs_of_the_path(ax):
    links = plot.warping(ax, [0.0, 1.0], [0.0, 2.0, 0.0], [[0, 0], [0, 1], [1, 2]], origin=(0.0, 1.0), step=0.5, every=1)
    segments = np.array(links.get_segments())
    assert segments[:, 0, 0].tolist() == [0.0, 0.0, 0.5]
    assert segments[:, 1].tolist() == [[1.0, 0.0], [1.5, 2.0], [2.0, 0.0]]
    assert (segments[:, 0, 1] > 2.0).all()


def test_alignment_shows_cost_accumulated_cost_and_expected_alignment(ax):
    cost, result = solve(dp.topologies.dtw(), dp.Tropical)
    figure = plot.alignment(result, cost, np.arange(6.0), np.arange(8.0))
    titles = [a.get_title() for panel in figure.axes for a in (panel, *panel.child_axes)]
    assert [t for t in titles if t] == ["local cost", "accumulated cost", "expected alignment"]
    drawn = figure.axes[0].get_lines()[0].get_xydata()
    np.testing.assert_array_equal(drawn[:, ::-1], result.path)
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), result.accumulated_cost)


def test_alignment_of_several_states_and_of_a_minimum_without_path(ax):
    _, result = solve(dp.topologies.affine_gap(1.0, 0.5), dp.Softmin(1.0))
    panels = [a for a in plot.alignment(result).axes if a.images]
    assert len(panels) == 4
    assert not any(p.get_lines() for p in panels)


def test_alignment_refuses_a_batch(ax):
    result = dp.compile(dp.topologies.dtw(), dp.Tropical, engine="reference")(np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="one item"):
        plot.alignment(result)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install dpsemiring\[plot\]"):
        plot.matrix(None, np.zeros((2, 2)))
