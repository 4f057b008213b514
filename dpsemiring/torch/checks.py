"""What local costs share: which tensors they take, what is refused, and how numbers may be looked at."""

from __future__ import annotations

import math

import numpy as np
import torch

NOT_SEEN = None  # what a condition is where the numbers may not be looked at


def holds(condition) -> bool | None:
    """Whether a condition holds anywhere, or NOT_SEEN: inside vmap and compile numbers may not be looked at, and a look at
    those on a GPU would wait for it."""
    if torch.compiler.is_compiling() or condition.device.type != "cpu":
        return NOT_SEEN
    try:
        return bool(condition.any())
    except RuntimeError:  # vmap's refusal
        return NOT_SEEN


def extremes(numbers) -> tuple[int, int] | None:
    """The least and the greatest of some whole numbers; NOT_SEEN where there are none, or none may be looked at."""
    if torch.compiler.is_compiling() or not numbers.numel() or numbers.device.type != "cpu":
        return NOT_SEEN
    try:
        low, high = numbers.aminmax()
        return int(low), int(high)
    except RuntimeError:  # vmap's refusal
        return NOT_SEEN


def all_finite(tensor) -> bool:
    """Whether there is certainly neither an infinity nor a NaN."""
    return holds(tensor.detach().sum().isfinite()) is True


def product(a, b):
    """A product of matrices in their own kind, whatever autocast would have."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


def raised(value):
    """Not below 0, where rounding has led, with the derivatives left as they are."""
    return value if holds(value.detach() < 0.0) is False else value + (-value).clamp(min=0.0).detach()


def bare(x):
    """0 in place of an infinity: whatever it forbids has no derivative."""
    return torch.where(x.isinf(), 0.0, x)


def is_whole(tensor):
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)


def real_tensor(what, value) -> torch.Tensor:
    """A tensor of float32 or float64, as `run.arrays.real_array` has it."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{what} is a {type(value).__name__} and other values of the call are torch tensors; use one library")
    check_place(what, value)
    if value.is_complex() or value.is_quantized:
        raise TypeError(f"{what} has the dtype {value.dtype}; real numbers are expected")
    if not value.is_floating_point():
        return value.to(torch.float64)
    return value if value.dtype in (torch.float32, torch.float64) else value.to(torch.float32)


def check_place(what, value):
    there = value.device.type in ("cpu", "cuda")
    if not there or value.layout != torch.strided:
        found = f"of the layout {value.layout}" if there else f"on the device {value.device}"
        mend = ".to_dense()" if there else ".cpu()"
        raise TypeError(f"{what} is {found}; dense tensors on the CPU or a CUDA device are expected: pass tensor{mend}")


def check_one_device(named) -> None:
    """Refuse tensors, (what, tensor) each, that lie on several devices."""
    named = list(named)
    for what, value in named[1:]:
        first, other = named[0][1].device, value.device
        if first != other:
            raise TypeError(f"{named[0][0]} is on {first} and {what} on {other}; use one device: tensor.to({str(first)!r})")


def kind_of(*tensors) -> torch.dtype:
    """Of the cost: float64 where a float is, or where there is none; else float32."""
    floats = [t.dtype for t in tensors if t.is_floating_point()]
    return torch.float64 if torch.float64 in floats or not floats else torch.float32


def tensor_of(what, name, value, other):
    if isinstance(value, torch.Tensor):
        if value.is_nested:
            raise TypeError(
                f"{what}: {name} is a nested tensor; padded(tensor) of dpsemiring.torch gives a dense one and lengths"
            )
        return value
    if isinstance(value, np.ndarray):
        raise TypeError(
            f"{what}: {name} is a NumPy array and other values are torch tensors; use one library: torch.as_tensor(array)"
        )
    if isinstance(other, torch.Tensor) and isinstance(value, (list, tuple)):
        return torch.as_tensor(value)
    raise TypeError(f"{what}: {name} is a torch tensor, found {type(value).__name__}")


def features(what, x, y, names=("x", "y"), last="D"):
    """Both in float64, and the kind of float that their cost has."""
    x, y = tensor_of(what, names[0], x, y), tensor_of(what, names[1], y, x)
    for name, value, axis in zip(names, (x, y), "NM"):
        if value.is_complex():
            raise TypeError(f"{what}: {name} has the dtype {value.dtype}; real numbers are expected")
        check_axes(what, name, value, (2, 3), f"({axis}, {last}) or (B, {axis}, {last})")
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"{what}: {names[0]} has {x.shape[-1]} features (shape {tuple(x.shape)}) and {names[1]} has {y.shape[-1]} (shape "
            f"{tuple(y.shape)}); the last axes must be equal: time comes first, channels last"
        )
    common_batch(what, (names[0], x.shape[:-2]), (names[1], y.shape[:-2]))
    return x.to(torch.float64), y.to(torch.float64), kind_of(x, y)


def check_axes(what, name, value, axes, wanted):
    if value.ndim not in axes:
        hint = f"; a series of one feature is {name}[:, None]" if value.ndim == 1 else ""
        raise ValueError(f"{what}: {name} has the shape {tuple(value.shape)}; {wanted} is expected{hint}")


def common_batch(what, *leads):
    """The batch axis that all share, one without or of length 1 serving every item."""
    sizes = {lead[0] for _, lead in leads if len(lead)} - {1}
    if len(sizes) > 1:
        found = " and ".join(f"{name} {lead[0]}" for name, lead in leads if len(lead))
        raise ValueError(f"{what}: the batch sizes differ, {found}; one size, or 1, is expected")
    return (sizes.pop() if sizes else 1,) if any(len(lead) for _, lead in leads) else ()


def refuse(what, name, values, wrong, span, mend=""):
    if holds(wrong):
        *b, at, d = wrong.nonzero()[0].tolist()
        axis = "row" if name in ("x", "log_probs") else "column"
        raise ValueError(
            f"{what}: {name} holds {values[(*b, at, d)].item()} in item {b[0] if b else 0} at {axis} {at}, feature {d}; {span} "
            f"is expected{mend}"
        )


def narrowed(what, value, kind):
    """The cost in its own kind; a number beyond its range is refused, since an infinity would forbid the cell."""
    out = value.to(kind)
    if kind == value.dtype or not out.numel() or holds(out.detach().amax((-2, -1)) == math.inf) is not True:
        return out
    if holds(out.isinf() & value.isfinite()):
        most = value[value.isfinite()].abs().max().item()
        raise ValueError(f"{what}: a cost is beyond the range of {kind}, {most:.3g}; scale the features or pass them as float64")
    return out
