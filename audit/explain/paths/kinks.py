"""The places where piecewise-linear operations have their kinks, read off while a model runs, whoever calls them.

Modules, functions and methods all end in the same few operations (`relu`, `clamp`, `maximum`, a comparison, a pooling
by maximum), and a mode of torch's dispatcher sees each of them with its arguments. No hook is put into the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Ends = tuple[Tensor, Tensor]
"""What is 0 at a kink, at both ends of each segment: two tensors [segments, units]."""


class Kinks(TorchDispatchMode):
    """While it is on, `see` is handed every operation that has kinks, in the order of the run.

    Args:
        segments: the model runs on twice as many rows: first the lower ends of segments, then the upper ends.
        see: called with what is 0 at the kinks, and whether more kinks may show once the segment is cut (a maximum of
            many: only the two that win at its ends have been compared).
    """

    def __init__(self, segments: int, see: Callable[[Ends, bool], None]) -> None:
        super().__init__()
        self.segments, self.see = segments, see

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Leaves out a wrapper that loads torch's compiler, which takes seconds and is not used."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__.rstrip("_")
        for zero in _zeros(name, args, kwargs):
            ends = _ends(zero, self.segments)
            if ends is not None:
                self.see(ends, False)
        before = args[0].detach().clone() if name in _WINNERS else None
        found = func(*args, **kwargs)
        if before is not None:
            ends = _contested(name, before, found, args, kwargs, self.segments)
            if ends is not None:
                self.see(ends, True)
        return found


def _zeros(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """What is 0 where the operation has a kink, in the shape of its argument."""
    if name not in _ZEROS or not args or not _real(args[0]):
        return
    if name in ("gt", "ge", "lt", "le") and len(args) > 1 and isinstance(args[1], Tensor) and not _real(args[1]):
        return
    for zero in _ZEROS[name](*args, **kwargs):
        if isinstance(zero, Tensor):
            yield zero


def _real(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _at_zero(z: Tensor, *_: Any, **__: Any) -> list[Tensor]:
    return [z]


def _at_bounds(z: Tensor, low: Any = None, high: Any = None, **named: Any) -> list[Tensor]:
    bounds = (named.get("min", low), named.get("max", high), named.get("min_val"), named.get("max_val"))
    return [z - bound for bound in bounds if bound is not None]


def _hardtanh(z: Tensor, low: float = -1.0, high: float = 1.0, **named: Any) -> list[Tensor]:
    return [z - named.get("min_val", low), z - named.get("max_val", high)]


def _softshrink(z: Tensor, half: float = 0.5, **named: Any) -> list[Tensor]:
    half = named.get("lambd", half)
    return [z - half, z + half]


def _where_equal(a: Tensor, b: Any, *_: Any, **__: Any) -> list[Tensor]:
    return [a - b]


_ZEROS: dict[str, Callable[..., list[Tensor]]] = {
    **dict.fromkeys(("relu", "leaky_relu", "_prelu_kernel", "prelu", "abs", "rrelu_with_noise"), _at_zero),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _at_bounds),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin", "gt", "ge", "lt", "le", "threshold"), _where_equal),
    "clamp_max": lambda z, bound, **_: [z - bound],
    "clamp_min": lambda z, bound, **_: [z - bound],
    "hardtanh": _hardtanh,
    "softshrink": _softshrink,
}

_POOLS = {
    "max_pool2d_with_indices": 2,
    "max_pool3d_with_indices": 3,
    "adaptive_max_pool2d": 2,
    "adaptive_max_pool3d": 3,
}
_WINNERS = {*_POOLS, "max", "min", "amax", "amin"}


def _ends(z: Tensor, segments: int) -> Ends | None:
    """Cut by the rows of the run; None where no axis is that of the rows."""
    z, rows = z.detach(), 2 * segments
    if not z.ndim:
        return None
    if len(z) % rows:
        axes = [axis for axis, size in enumerate(z.shape) if size == rows]
        if not axes:
            return None
        z = z.movedim(axes[0], 0)
    elif not len(z):
        return None
    flat = z.reshape(rows, -1)
    return flat[:segments], flat[segments:]


def _contested(
    name: str, z: Tensor, found: Any, args: Sequence[Any], kwargs: Mapping[str, Any], segments: int
) -> Ends | None:
    """The winner at the lower end minus the winner at the upper end, at both ends: 0 where one overtakes the other."""
    if not _real(z) or not z.ndim:
        return None
    lined = _pooled(name, z, found) if name in _POOLS else _reduced(name, z, args, kwargs)
    if lined is None or len(lined[0]) != 2 * segments:
        return None
    values, winner = lined
    low, high = winner[:segments], winner[segments:]
    ends = values[:segments], values[segments:]
    return tuple((end.gather(-1, low) - end.gather(-1, high)).reshape(segments, -1) for end in ends)  # pyright: ignore


def _pooled(name: str, z: Tensor, found: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:
    """Planes flattened, [rows, ..., places], and the winners' places in them."""
    axes = _POOLS[name]
    return (z.flatten(-axes), found[1].flatten(-axes)) if z.ndim == axes + 2 else None


def _reduced(name: str, z: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    axes = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if isinstance(axes, Tensor) or axes is None:
        return None
    axes = sorted(axis % z.ndim for axis in ([axes] if isinstance(axes, int) else axes))
    if not axes or 0 in axes:
        return None
    kept = [axis for axis in range(z.ndim) if axis not in axes]
    values = z.permute(*kept, *axes).flatten(len(kept))
    values = -values if name in ("min", "amin") else values
    return values, values.argmax(-1, keepdim=True)
