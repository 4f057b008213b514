"""Whether there is a GPU to test on."""

from functools import lru_cache


@lru_cache
def missing_gpu() -> str | None:
    """Why tests on a GPU cannot run here; None if they can."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed"
    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "there is no CUDA device"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"there is no CUDA device: {error}"
