"""A plane stands once in a tile, whoever reads it and wherever."""

import dpsemiring as dp
from dpsemiring.lower.build import build
from dpsemiring.lower.plan import make_plan

FREE = dp.Boundary([dp.Start(terms=[])], [dp.End()])
FAR = [dp.Term(at=(-1, 0)), dp.Term(at=(0, -3))]


def buffers(*steps, kind=None):
    return make_plan(build(dp.Topology(list(steps), FREE), dp.Softmin(1.0)), "float32", kind=kind).buffers


def test_sites_that_read_one_plane_share_a_buffer():
    found = buffers(dp.Step(1, 0), dp.Step(2, 3, terms=FAR), kind="skewed")
    assert len(found) == 1 and found[0] == found[1] == found[2] and found[0].at == (0, 0)
    assert (found.reach, found.before, found.below) == ((1, 3), 4, 1)


def test_a_shared_buffer_lies_about_the_place_furthest_on():
    found = buffers(dp.Step(2, 3, terms=[dp.Term(at=(-1, -1)), dp.Term(at=(-1, -2))]), kind="skewed")
    assert found[0].at == (-1, -1) and found.reach == (0, 1)


def test_a_site_that_reads_a_plane_alone_has_a_buffer_without_more():
    w = dp.Param("w", axes="n")
    found = buffers(dp.Step(1, 1, terms=[dp.Term(at=(-1, 0), weight=w), dp.Term("other")]))
    assert not found.shared and (found.before, found.below) == (0, 0)
    assert len(found) == 3


def test_where_nothing_is_turned_round_no_sites_share():
    for kind in ("rows", "abreast"):
        assert len(buffers(dp.Step(1, 0), dp.Step(2, 3, terms=FAR), kind=kind)) == 3


def test_of_results_one_is_given_for_a_buffer():
    found = buffers(dp.Step(0, 1), dp.Step(2, 3, terms=FAR))
    assert found.apart((0, 1, 2)) == (0,) and found.apart((2, 1)) == (2,) and found.apart((7, 1)) == (7, 1)
