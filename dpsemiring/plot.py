"""Pictures of alignments (`from dpsemiring import plot`): costs, accumulated costs, expected alignments, paths.

Axis 0 of a matrix runs upwards and axis 1 to the right, as in most of the literature, so that a path climbs from the
lower left to the upper right. Every function draws on the matplotlib Axes that it is given; `alignment` alone makes a
Figure. Needs matplotlib: ``pip install dpsemiring[plot]``.
"""

from __future__ import annotations

import numpy as np

PATH_COLOUR = "#00b4d8"

KINDS = {
    # kind: colour map, exponent that the values are raised to before they are coloured, colour of cells without a value
    "cost": ("Greys", 0.5, "white"),
    "accumulated": ("viridis", 1.0, "lightgrey"),
    "posterior": ("inferno", 0.35, "black"),
}


def matrix(ax, array, path=None, *, kind="cost", origin=(0.0, 0.0), step=(1.0, 1.0), colour=PATH_COLOUR, **image):
    """The AxesImage of an array over the cells of a lattice, with a path over it.

    Parameters
    ----------
    ax : matplotlib Axes
    array : (N, M) float
        Infinite and NaN cells are left in one plain colour.
    path : (L, 2) int, optional
        Visited cells, such as ``result.path``.
    kind : {"cost", "accumulated", "posterior"}
        Colour map and scale. A posterior is coloured by its power 0.35, so that a cell of probability 0.01 still
        shows; one with negative entries (smoothmin's) gets a diverging map, symmetric about 0.
    origin, step : pair of float
        Cell (n, m) is drawn at ``origin + step * (n, m)``: with ``step=1 / rate`` the axes are in seconds.
    colour : matplotlib colour
        Of the path.
    **image
        Passed to ``Axes.imshow``.

    Raises
    ------
    ValueError
        For an array that is not a matrix, or an unknown kind.
    """
    colors = _matplotlib().colors
    array = np.asarray(array, float)
    if array.ndim != 2:
        raise ValueError(f"matrix: an (N, M) array is expected, found the shape {array.shape}; choose one item of a batch")
    if kind not in KINDS:
        raise ValueError(f"matrix: kind is one of {', '.join(KINDS)}, found {kind!r}")
    name, power, empty = KINDS[kind]
    shown = np.ma.masked_invalid(array)
    low, high = (0.0, 1.0) if shown.count() == 0 else (float(shown.min()), float(shown.max()))
    if kind == "posterior" and low < 0.0:
        name, norm = "RdBu_r", colors.AsinhNorm(0.02, -max(-low, high), max(-low, high))
    else:
        norm = colors.PowerNorm(power, 0.0 if kind == "posterior" else low, high)
    rows, columns = (_times(length, origin, step, axis)[[0, -1]] for axis, length in enumerate(array.shape))
    dn, dm = np.broadcast_to(step, 2) / 2
    extent = (columns[0] - dm, columns[1] + dm, rows[0] - dn, rows[1] + dn)
    drawn = ax.imshow(shown, **{"origin": "lower", "extent": extent, "cmap": name, "norm": norm, "aspect": "auto"} | image)
    ax.set_facecolor(empty)
    if path is not None and len(path):
        line(ax, path, origin=origin, step=step, color=colour)
    return drawn


def line(ax, path, *, origin=(0.0, 0.0), step=(1.0, 1.0), **style):
    """The Line2D of a path, for more than one over the same `matrix`; `style` goes to ``Axes.plot``."""
    n, m = (np.asarray(path) * step + origin).T
    return ax.plot(m, n, **{"color": PATH_COLOUR, "linewidth": 1.2, "solid_joinstyle": "round"} | style)[0]


def signals(ax, x=None, y=None, *, origin=(0.0, 0.0), step=(1.0, 1.0), size=0.2, colours=("C0", "C1")):
    """The Axes of two series drawn along a matrix: x, along axis 0, on its left and y, along axis 1, above it.

    Parameters
    ----------
    ax : matplotlib Axes
        Of the `matrix`, whose limits the series share.
    x, y : (N,), (M,) or (N, D), (M, D) float, optional
        One line for each channel; None leaves that side free.
    size : float
        Of the strips, as a part of the matrix.
    """
    made = []
    for series, side, at in ((x, 0, (-size - 0.02, 0, size, 1)), (y, 1, (0, 1.02, 1, size))):
        if series is None:
            continue
        strip = ax.inset_axes(at, **({"sharey": ax} if side == 0 else {"sharex": ax}))
        times = _times(len(series), origin, step, side)
        if side == 0:
            strip.plot(series, times, color=colours[0], linewidth=0.8)
            strip.invert_xaxis()
            strip.tick_params(bottom=False, labelbottom=False)
            ax.tick_params(left=False, labelleft=False)
        else:
            strip.plot(times, series, color=colours[1], linewidth=0.8)
            strip.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
        strip.spines[:].set_visible(False)
        made.append(strip)
    return made


def warping(ax, x, y, path, *, origin=(0.0, 0.0), step=(1.0, 1.0), every=5, colours=("C0", "C1")):
    """The LineCollection that connects two series along a path, x drawn above y.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : (N,), (M,) float
        Of one scale; x is lifted clear of y.
    path : (L, 2) int
        Pairs of indices into x and y.
    origin, step : pair of float
        Index n of x is drawn at ``origin[0] + step[0] * n``, and so for y.
    every : int
        Draw each `every`-th connection.
    """
    collections = _matplotlib().collections
    x, y, path = np.asarray(x, float), np.asarray(y, float), np.asarray(path)
    x = x + np.nanmax(y) - np.nanmin(x) + 0.4 * np.ptp(y[np.isfinite(y)])
    x_times, y_times = (_times(len(s), origin, step, axis) for axis, s in enumerate((x, y)))
    ends = [np.stack([times, s], axis=1)[path[:, axis]] for axis, (times, s) in enumerate(((x_times, x), (y_times, y)))]
    links = collections.LineCollection(np.stack(ends, axis=1)[::every], colors="0.75", linewidths=0.6, zorder=1)
    ax.add_collection(links)
    ax.plot(x_times, x, color=colours[0], linewidth=1.2)
    ax.plot(y_times, y, color=colours[1], linewidth=1.2)
    ax.set_yticks([])
    return links


def alignment(result, cost=None, x=None, y=None, *, path=None, origin=(0.0, 0.0), step=(1.0, 1.0), size=3.2):
    """A Figure of one result: its cost if given, its accumulated cost (for each state), its expected alignment.

    Parameters
    ----------
    result : Result
        Of one item, not of a batch. The expected alignment is ``result.occupancy``: the probability, or the signed
        weight, with which a path visits each cell.
    cost : (N, M) float, optional
    x, y : (N,), (M,) or (N, D), (M, D) float, optional
        Series to draw along the axes.
    path : (L, 2) int, optional
        By default ``result.path`` where the semiring selects one; else none.
    size : float
        Inches a panel.

    Raises
    ------
    ValueError
        For the result of a batch.
    """
    occupancy, accumulated = result.occupancy, result.accumulated_cost
    if occupancy.ndim != 2:
        raise ValueError(
            f"alignment: one item is expected, found a batch of {len(occupancy)}; draw result.occupancy[b] and "
            "result.accumulated_cost[b] with matrix"
        )
    if path is None:
        try:
            path = result.path
        except TypeError:  # the semiring's sum mixes its candidates: no one best path
            path = None
    panels = [] if cost is None else [("local cost", cost, "cost")]
    if accumulated.ndim == 2:
        panels.append(("accumulated cost", accumulated, "accumulated"))
    else:
        panels += [(f"accumulated cost, state {k}", accumulated[..., k], "accumulated") for k in range(accumulated.shape[-1])]
    panels.append(("expected alignment", occupancy, "posterior"))
    figure = _matplotlib().pyplot.figure(figsize=(size * len(panels), 1.2 * size), layout="constrained")
    for i, (title, array, kind) in enumerate(panels):
        ax = figure.add_subplot(1, len(panels), i + 1)
        image = matrix(ax, array, path if kind != "posterior" else None, kind=kind, origin=origin, step=step)
        strips = signals(ax, x if i == 0 else None, y, origin=origin, step=step)
        (strips[-1] if y is not None else ax).set_title(title)
        bar = figure.colorbar(image, ax=ax, location="bottom", shrink=0.8)
        if kind == "posterior":
            ticks = image.norm.inverse(np.linspace(0, 1, 5))
            bar.set_ticks(ticks, labels=[f"{t:.2g}" for t in ticks])
    return figure


def _times(length, origin, step, axis):
    """Where the indices of an axis are drawn."""
    return np.broadcast_to(origin, 2)[axis] + np.broadcast_to(step, 2)[axis] * np.arange(length)


def _matplotlib():
    """Matplotlib, imported when it is first drawn with."""
    try:
        import matplotlib.collections
        import matplotlib.colors
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError("dpsemiring.plot needs matplotlib: pip install dpsemiring[plot]") from error
    return matplotlib
