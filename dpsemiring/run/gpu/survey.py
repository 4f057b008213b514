"""What must be known of a cost before it is used, found in one pass over it on the device."""

from __future__ import annotations

import numpy as np

from dpsemiring.run.gpu.arguments import THREADS
from dpsemiring.run.gpu.device import Device

_KINDS = {"float32": "float", "float64": "double"}
_TEXT = """typedef long long i64;
typedef {real} F;

// For each of some parts of each item: whether it holds a NaN, whether it holds the infinity that is refused, and the
// greatest finite size of a number. Of row n columns lo <= m < hi are read; `each` rows of bounds serve an item, or one.
extern "C" __global__ void survey(
    const F* cost, i64 height, i64 width, i64 parts, const i64* rows, const i64* lo, const i64* hi, i64 each, double refused,
    bool* nan, bool* bad, F* most) {{
    __shared__ int found_of[32];
    __shared__ F most_of[32];
    const i64 b = blockIdx.x / parts, part = blockIdx.x % parts;
    int found = 0;
    F size = 0;
    for (i64 n = part; n < rows[b]; n += parts) {{
        const i64 bound = b * each + (each > 1 ? n : 0), stop = hi[bound];
        const F* const row = cost + (b * height + n) * width;
        for (i64 m = lo[bound] + threadIdx.x; m < stop; m += blockDim.x) {{
            const F x = row[m], own = x < 0 ? -x : x;
            if (x != x) found |= 1;
            else if (x == F(refused)) found |= 2;
            else if (own > size && own - own == 0) size = own;
        }}
    }}
    for (int lanes = 16; lanes > 0; lanes /= 2) {{
        const F other = __shfl_down_sync(0xffffffffu, size, lanes);
        found |= __shfl_down_sync(0xffffffffu, found, lanes);
        size = other > size ? other : size;
    }}
    if (threadIdx.x % 32 == 0) found_of[threadIdx.x / 32] = found, most_of[threadIdx.x / 32] = size;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int warp = 1; warp < blockDim.x / 32; warp++) {{
        found |= found_of[warp];
        size = most_of[warp] > size ? most_of[warp] : size;
    }}
    nan[blockIdx.x] = found & 1, bad[blockIdx.x] = (found & 2) != 0, most[blockIdx.x] = size;
}}
"""
_TYPES = ("const F*", "i64", "i64", "i64", "const i64*", "const i64*", "const i64*", "i64", "double", "bool*", "bool*", "F*")


def survey(device: Device, array, rows: np.ndarray, lo: np.ndarray, hi: np.ndarray, refused: float):
    """By item: whether it holds a NaN, whether the refused infinity, and its greatest finite size; see `Engine.survey`."""
    batch, height, width = array.shape
    if not array.size:
        return device.zeros(batch, bool), device.zeros(batch, bool), device.zeros(batch, array.dtype)
    parts = max(1, min(height, device.blocks(batch * height) // batch))
    nan, bad = device.zeros((batch, parts), bool), device.zeros((batch, parts), bool)
    most = device.zeros((batch, parts), array.dtype)
    lo, hi = np.broadcast_arrays(lo, hi)
    bounds = (device.constant(np.ascontiguousarray(x, np.int64)) for x in (rows, lo, hi))
    values = (array, height, width, parts, *bounds, lo.shape[1], refused, nan, bad, most)
    device.launch(_TEXT.format(real=_KINDS[array.dtype.name]), "survey", batch * parts, THREADS, _TYPES, values)
    return nan.any(axis=1), bad.any(axis=1), most.max(axis=1)
