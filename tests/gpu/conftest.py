"""Arrays of a device, which is a stand-in or CuPy's, and solvers that compute with them."""

import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.api import fronts
from dpsemiring.testing.emulation.arrays import DeviceArray
from dpsemiring.testing.emulation.device import EmulatedDevice
from dpsemiring.testing.emulation.engine import EmulatedEngine


class Bench:
    """A device, what brings arrays to it and back, and solvers whose engine is on it."""

    def __init__(self, device):
        self.device = device

    def to(self, value):
        """The arrays of a call, wherever they stand in it, on the device; an array that stands twice remains one."""
        return fronts.carried(value, {}, self.device)[0]

    def back(self, value):
        """What came back, in NumPy; it must have lived on the device."""
        if isinstance(value, dict):
            return {name: self.back(v) for name, v in value.items()}
        assert self.device.owns(value), f"a {type(value).__name__} came back from the device"
        return np.array(self.device.host(value))


class Emulated(Bench):
    """On the stand-in."""

    def solver(self, topology, semiring, **options):
        solver = dp.compile(topology, semiring)
        solver.engine = EmulatedEngine(solver.engine.recurrence, self.device, together=True, **{**cases.SMALL, **options})
        return solver

    def unseen(self, work):
        """What `work` gives; nothing may be brought to the host meanwhile."""
        before = self.device.looked
        found = work()
        assert self.device.looked == before
        return found


class OnCuPy(Bench):
    """On a GPU."""

    def solver(self, topology, semiring, **_):
        return dp.compile(topology, semiring, engine="gpu")

    def unseen(self, work):
        """The same, once constants are there and kernels compiled."""
        import cupyx

        work()
        with cupyx.allow_synchronize(False):
            return work()


@pytest.fixture
def emulated(monkeypatch):
    monkeypatch.setitem(fronts._ready, "emulated", None)
    fronts.register("emulated", DeviceArray, lambda array: array.device)
    return Emulated(EmulatedDevice())


@pytest.fixture(
    params=[pytest.param("emulated", marks=pytest.mark.emulation), pytest.param("cupy", marks=pytest.mark.gpu)],
)
def bench(request):
    if request.param == "emulated":
        return request.getfixturevalue("emulated")
    from dpsemiring.run.gpu.cupy_device import device

    return OnCuPy(device())
