"""The recurrence on dual numbers, made from a recurrence: it finds derivatives in a direction (`algebra.tangent`)."""

from __future__ import annotations

from dataclasses import replace

from dpsemiring.algebra import tangent
from dpsemiring.algebra.expr import Node
from dpsemiring.lower.ir import Recurrence, Site, site_leaf


def dual(recurrence: Recurrence) -> Recurrence:
    """The recurrence over the dual of its semiring.

    Every cost and every number that cells read has a tangent, a site behind all others (in the order of `moving_sites`) that
    is 0 outside its extents; every weight is paid with its tangent. All else is as it was.
    """
    sites, moving = recurrence.sites, moving_sites(recurrence)
    taken = {site.name for site in sites}
    dots = {site_leaf(i): site_leaf(len(sites) + j) for j, i in enumerate(moving)}

    def paid(weight: tuple[Node, ...] | None):
        return None if weight is None else (*weight, tangent.directional(weight[0], dots))

    return replace(
        recurrence,
        semiring=tangent.dual(recurrence.semiring),
        states=tuple(tuple(replace(a, weight=paid(a.weight)) for a in arcs) for arcs in recurrence.states),
        sites=(*sites, *(_tangent(sites[i], taken) for i in moving)),
        ends=tuple(replace(e, weight=paid(e.weight)) for e in recurrence.ends),
    )


def moving_sites(recurrence: Recurrence) -> tuple[int, ...]:
    """The sites that have a tangent in the dual."""
    return tuple(i for i, site in enumerate(recurrence.sites) if site.role != "mask")


def _tangent(site: Site, taken: set[str]) -> Site:
    name = f"{site.name}_dot"
    while name in taken:
        name += "_"
    return replace(site, role="number", name=name)
