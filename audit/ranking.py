"""Rows in the order of their scores, list by list: what attention a place gets, and how good an order is. No torch.

Rows of the same score share what their places get, as if ties were broken at random again and again [mcsherry2008].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import Floats

TENTH = 10  # of a list is selected where nobody says how many


@dataclass(frozen=True, slots=True)
class Lists:
    """Rows in lists, each in the order of falling scores.

    Attributes:
        order: [n] rows, list after list, best first; all other columns are in this order.
        list: [n] the list of each; start: [lists] where each list begins; size: [lists], its rows.
        place: [n] from 0 within its list.
        block: [n] rows of the same list and score; first: [blocks] where each begins; tied: [blocks], its rows.
    """

    order: NDArray[np.int64]
    list: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    place: NDArray[np.int64]
    block: NDArray[np.int64]
    first: NDArray[np.int64]
    tied: NDArray[np.int64]

    @classmethod
    def of(cls, score: Floats, query: NDArray[np.int64]) -> Lists:
        """Lists 0, 1, … of rows with that query code; every code up to the largest has rows."""
        order = np.lexsort((-score, query))
        lists, scores = query[order], score[order]
        size = np.bincount(lists)
        start = np.append(0, np.cumsum(size)[:-1])
        new = np.ones(len(order), bool)
        new[1:] = (lists[1:] != lists[:-1]) | (scores[1:] != scores[:-1])
        first, block = np.flatnonzero(new), np.cumsum(new) - 1
        place = np.arange(len(order)) - start[lists]
        return cls(order, lists, start, size, place, block, first, np.bincount(block))

    def by_row(self, values: Floats) -> Floats:
        """Values in the order of the lists, put back in the order of the rows."""
        out = np.empty(len(values))
        out[self.order] = values
        return out

    def shared(self, values: Floats) -> Floats:
        """Values of places, the places of a tie sharing theirs alike."""
        return (np.bincount(self.block, values) / self.tied)[self.block]

    def total(self, values: Floats) -> Floats:
        """[lists] sums of values in the order of the lists."""
        return np.bincount(self.list, values, minlength=len(self.size)).astype(np.float64)


def attention(place: NDArray[np.int64]) -> Floats:
    """What attention a place gets: 1 / log₂(1 + rank), rank 1 being the first [jarvelin2002].

    >>> attention(np.array([0, 1, 2])).round(4).tolist()
    [1.0, 0.6309, 0.5]
    """
    return 1 / np.log2(place + 2.0)


def exposure(lists: Lists) -> Floats:
    """[rows] the attention of each row, over the mean of its list: 1 is what chance would give [singh2018]."""
    weight = lists.shared(attention(lists.place))
    return lists.by_row(weight / (lists.total(weight) / lists.size)[lists.list])


def selected(lists: Lists, top: int) -> Floats:
    """[rows] whether a row is among the first `top` of its list (0: a tenth); of a tie the share that is."""
    most = np.minimum(top, lists.size) if top else -(-lists.size // TENTH)
    return lists.by_row(lists.shared((lists.place < most[lists.list]).astype(np.float64)))


def gains(lists: Lists, relevance: Floats) -> tuple[Floats, Floats]:
    """For each list its discounted cumulative gain Σ relevance / log₂(1 + rank), and that of the best order."""
    found = lists.total(lists.shared(attention(lists.place)) * relevance[lists.order])
    ideal = np.lexsort((-relevance[lists.order], lists.list))
    return found, lists.total(attention(lists.place) * relevance[lists.order][ideal])


def ndcg(lists: Lists, relevance: Floats) -> Floats:
    """[lists] normalised discounted cumulative gain [jarvelin2002]; NaN of a list of one row, or of none relevant."""
    found, best = gains(lists, relevance)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((best > 0) & (lists.size > 1), found / best, np.nan)


def without(lists: Lists, amount: Floats) -> Floats:
    """[rows] Σ amount · attention of each row's list, had that row not been in it: those below move up by one.

    What leave-one-out estimates of a single ranking are made of, in one pass over the order.
    """
    mine = amount[lists.order]
    table = np.append(0.0, np.cumsum(attention(np.arange(int(lists.size.max(initial=0))))))
    low = lists.place[lists.first]  # the places [low, high) of each block
    high = low + lists.tied
    there = (table[high] - table[low]) / lists.tied
    with np.errstate(divide="ignore", invalid="ignore"):
        fewer = np.where(lists.tied > 1, (table[high - 1] - table[low]) / (lists.tied - 1), 0.0)
    up = np.where(low > 0, (table[high - 1] - table[np.maximum(low - 1, 0)]) / lists.tied, 0.0)
    of_block = np.bincount(lists.block, mine)
    of_list = lists.list[lists.first]
    begins = np.searchsorted(of_list, np.arange(len(lists.size)))
    kept, moved = np.append(0.0, np.cumsum(of_block * there)), np.append(0.0, np.cumsum(of_block * up))
    ends = np.append(begins[1:], len(of_list))
    above = kept[:-1] - kept[begins][of_list]
    below = moved[ends][of_list] - moved[1:]
    rest = (of_block[lists.block] - mine) * fewer[lists.block]
    return lists.by_row((above + below)[lists.block] + rest)
