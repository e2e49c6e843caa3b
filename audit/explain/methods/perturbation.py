"""What the output loses when features are taken away: one group at a time, a window at a time, or by another row's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import ceil
from typing import Any

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Found, Problem, Tensors, by_group
from ..errors import ExplanationError
from .drawing import Means, limit, samples

DRAWS = 10  # other rows whose values a group takes, where neither `samples` nor a budget is given
PARTS = 8  # windows along an axis, where none is asked for


def feature_ablation(problem: Problem) -> Found:
    """φ = f(x) − f(x with the group at its baseline), one evaluation for each group [zeiler2014].

    A group goes with all its places at once, also where they stand in several inputs.
    """
    output = problem.outputs()
    n, k = len(problem), len(problem.groups)

    def without(at: slice) -> tuple[Tensors, Tensor]:
        number = torch.arange(at.start, at.stop, device=output.device)
        rows, gone = number // k, number % k
        return _replaced(problem, rows, gone, problem.baselines, rows), rows

    left = problem.evaluated(n * k, without).reshape(n, k)
    return by_group(
        problem, output[:, None] - left, "each feature taken to its baseline, the others as they are", output=output
    )


def occlusion(problem: Problem) -> Found:
    """What a window at its baseline takes from the output; a place has the mean of the windows over it [zeiler2014].

    Options: `window`, its length along each axis of a row (a number for rows of one axis, else a tuple; for several
    inputs one of these each; an eighth of each axis, and all channels of a picture, if not given); `stride`, by how
    much it moves, likewise (half a window). The last window is cut off at the edge.

    Raises:
        ExplanationError: windows do not fit the inputs.
    """
    output, values, count = problem.outputs(), [], 0
    windows = _each(problem, "window")
    strides = _each(problem, "stride")
    for number, x in enumerate(problem.inputs):
        shape = tuple(x.shape[1:])
        window = _lengths(windows[number], shape, "window") or _window(shape)
        stride = _lengths(strides[number], shape, "stride") or tuple(max(1, w // 2) for w in window)
        found, places = _slide(problem, number, _boxes(shape, window, stride), output)
        values.append(found)
        count += places
    return Found(tuple(values), f"{count} windows taken to the baseline, one at a time", output=output)


def feature_permutation(problem: Problem) -> Found:
    """φ = f(x) − E f(x with the group's values of another row), over random cyclic orders of the rows [breiman2001].

    Options: `samples`, how many other rows a row borrows from (10, or as the budget allows).

    Raises:
        ExplanationError: there is one row only, or no room in the budget for two draws.
    """
    n, k, output = len(problem), len(problem.groups), problem.outputs()
    if n < 2:
        raise ExplanationError(Message("permutation_needs_rows", {}))
    most = limit(problem, samples(problem), DRAWS)
    means = Means.like((output.new_zeros(n, k),))
    while (most is None or means.n < most) and problem.spending.room(1 + k * (means.n + 1)):
        with problem.spending.step():
            means.add((output[:, None] - _borrowed(problem, _cycle(problem)).reshape(n, k),))
    means.check(problem, "feature_permutation", 1 + 2 * k)
    rule = f"each feature taken from {means.n} other rows of those that are explained"
    (stderr,) = means.stderr
    return by_group(problem, means.mean[0], rule, grouped_stderr=stderr, output=output, details={"samples": means.n})


def _borrowed(problem: Problem, other: Tensor) -> Tensor:
    """[n · groups]: f of each row with each group's values taken from its other row."""
    k = len(problem.groups)

    def swapped(at: slice) -> tuple[Tensors, Tensor]:
        number = torch.arange(at.start, at.stop, device=other.device)
        rows, gone = number // k, number % k
        return _replaced(problem, rows, gone, problem.inputs, other[rows]), rows

    return problem.evaluated(len(problem) * k, swapped)


def _replaced(problem: Problem, rows: Tensor, gone: Tensor, others: Tensors, theirs: Tensor) -> Tensors:
    """Rows in each of which one group has the values of another row.

    Args:
        problem: whose inputs and groups these are.
        rows: [m] int64, the rows.
        gone: [m] int64, the group of each.
        others: each [n, ...], where the values come from.
        theirs: [m] int64, the rows in `others`.
    """
    found, m = [], torch.arange(len(rows), device=rows.device)
    for mask, x, other in zip(problem.groups.masks, problem.inputs, others, strict=True):
        if problem.groups.single and len(others) == 1:
            moved = x.reshape(len(x), -1).index_select(0, rows)
            moved[m, gone] = other.reshape(len(other), -1)[theirs, gone]
            found.append(moved.reshape(len(rows), *x.shape[1:]))
            continue
        leaves = (mask == gone[:, None]).reshape(len(rows), *x.shape[1:])
        found.append(torch.where(leaves, other.index_select(0, theirs), x.index_select(0, rows)))
    return tuple(found)


def _cycle(problem: Problem) -> Tensor:
    """[n] for each row another one: its neighbour when all rows are put on a circle in random order."""
    order = torch.randperm(len(problem), generator=problem.generator)
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    return other.to(problem.inputs[0].device)


def _slide(problem: Problem, number: int, boxes: list[tuple[slice, ...]], output: Tensor) -> tuple[Tensor, int]:
    """The mean effect at each place of one input, and how many windows there were."""
    x, b = problem.inputs[number], problem.baselines[number]
    masks = torch.zeros(len(boxes), *x.shape[1:], dtype=torch.bool, device=x.device)
    for mask, box in zip(masks, boxes, strict=True):
        mask[box] = True
    w = len(boxes)

    def occluded(at: slice) -> tuple[Tensors, Tensor]:
        k = torch.arange(at.start, at.stop, device=x.device)
        rows = k // w
        whole = list(_at(problem.inputs, rows))
        whole[number] = torch.where(masks[k % w], b[rows], x[rows])
        return tuple(whole), rows

    lost = output[:, None] - problem.evaluated(len(x) * w, occluded).reshape(len(x), w)
    flat = masks.reshape(w, -1).double()
    mean = lost @ flat / flat.sum(0).clamp(min=1)
    return mean.reshape(x.shape), w


def _boxes(shape: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """The windows, so that every place is covered and none lies wholly in another one's cut-off end."""
    axes = []
    for length, wide, step in zip(shape, window, stride, strict=True):
        count = 1 + max(0, ceil((length - wide) / step))
        axes.append([slice(k * step, min(k * step + wide, length)) for k in range(count)])
    return list(product(*axes))


def _window(shape: tuple[int, ...]) -> tuple[int, ...]:
    parts = tuple(ceil(length / PARTS) for length in shape)
    return (shape[0], *parts[1:]) if len(shape) == 3 else parts


def _each(problem: Problem, option: str) -> Sequence[Any]:
    """What was asked for each input, None where nothing was."""
    asked = problem.options.get(option)
    if len(problem.inputs) == 1 or asked is None:
        return [asked] * len(problem.inputs)
    if not isinstance(asked, (list, tuple)) or len(asked) != len(problem.inputs):
        raise ExplanationError(Message("window_shape", {"what": option, "given": repr(asked), "wanted": "one each"}))
    return asked


def _lengths(asked: Any, shape: tuple[int, ...], what: str) -> tuple[int, ...] | None:
    if asked is None:
        return None
    found = tuple(asked) if isinstance(asked, (tuple, list)) else (asked,)
    if len(found) != len(shape) or any(not isinstance(k, int) or k < 1 for k in found):
        raise ExplanationError(Message("window_shape", {"what": what, "given": repr(asked), "wanted": list(shape)}))
    return tuple(min(k, length) for k, length in zip(found, shape, strict=True))


def _at(values: Tensors, rows: Tensor) -> Tensors:
    return tuple(value[rows] for value in values)
