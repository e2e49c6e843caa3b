"""A credit population whose truth is known: for demos that need no file, and for tests of what an audit finds.

Who asks for credit, and what came of it (Φ is the normal distribution function; all noise is independent, N(0, 1)):

    sex            Female 0.48, Male 0.52
    origin         foreign 0.25, domestic 0.75, whatever the sex
    postcode k     P(k | domestic) = (8 − k) / 36,  P(k | foreign) = (k + 1)² / 204,  k = 0 … 7, named Z1 … Z8
    age            uniform on 21 … 70; a cause of nothing
    employment     Female: none 0.12, part 0.38, full 0.50;  Male: none 0.10, part 0.12, full 0.78
    late payments  0, 1, 2, 3 with 0.60, 0.25, 0.10, 0.05
    log income     x = m − 0.22 [Female] − 0.15 [foreign] + 0.35 noise,  m = 2.3 none, 2.7 part, 3.3 full (thousand EUR)
    log debt       d = log 0.30 + 0.50 noise (share of income)
    sound          s = 1 + 1.2 (x − 3) − 0.8 (d − log 0.30) − 0.6 late
    repays         s + noise ≥ 0; sex, origin, postcode and age have no effect of their own
    repaid         what the books say: of those who repay, 0.02 (domestic) or 0.12 (foreign) stand as defaulted,
                   of those who do not, 0.02 stand as repaid
    approved       an old lender's decision: s − 0.5 [Female] + 0.5 noise ≥ 0.5

So women have a lower base rate because they earn less (an indirect path), and are approved less often among equals (a
planted direct one); the books are wronger about foreigners; and the postcode tells the origin while causing nothing.
Sex is not known of 1 % of all rows, origin of 4 % of domestic and 10 % of foreign rows.

Loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame

TARGET = "repaid"
SENSITIVE = ("sex", "origin")
NUMERIC = ("age", "income", "debt", "late_payments")
CATEGORICAL = ("employment", "postcode")
UNITS = {"age": "years", "income": "thousand EUR", "debt": "share of income"}
LEVELS = {"sex": ("Female", "Male"), "origin": ("domestic", "foreign")}
POSTCODES = tuple(f"Z{k}" for k in range(1, 9))

FEMALE, FOREIGN = 0.48, 0.25
POSTCODE = {  # origin -> the chance of each postcode
    "domestic": np.arange(8, 0, -1) / 36,
    "foreign": np.arange(1, 9) ** 2 / 204,
}
EMPLOYMENT = {"Female": (0.12, 0.38, 0.50), "Male": (0.10, 0.12, 0.78)}  # none, part, full
JOBS = ("none", "part", "full")
JOB_INCOME = (2.3, 2.7, 3.3)
LATE = (0.60, 0.25, 0.10, 0.05)
INCOME_FEMALE, INCOME_FOREIGN, INCOME_NOISE = -0.22, -0.15, 0.35
DEBT_CENTRE, DEBT_NOISE = math.log(0.30), 0.50
BY_INCOME, BY_DEBT, BY_LATE = 1.2, -0.8, -0.6
BAR_FEMALE, BAR, LENDER_NOISE = -0.5, 0.5, 0.5
LOST = {"domestic": 0.02, "foreign": 0.12}  # repays, but the books say defaulted
GAINED = 0.02  # defaults, but the books say repaid
SEX_UNKNOWN, ORIGIN_UNKNOWN = 0.01, {"domestic": 0.04, "foreign": 0.10}

Label = Literal["repays", "repaid"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What holds in the whole population of a group, to about 1e-6.

    Attributes:
        share: of the group among everyone.
        base_rate: P(label).
        selection_rate: P(approved).
        true_positive_rate: P(approved | label).
        false_positive_rate: P(approved | not label).
    """

    share: float
    base_rate: float
    selection_rate: float
    true_positive_rate: float
    false_positive_rate: float


def credit(n: int, seed: int = 0) -> DataFrame:
    """Draw n people. The same n and seed give the same rows.

    Returns:
        Columns sex, origin (None where not known), postcode, age, employment, income, debt, late_payments, approved,
        repaid (what the books say) and repays (what is true).

    Raises:
        DataError: n is less than 1.
    """
    import pandas

    if n < 1:
        raise DataError(f"a population of {n} rows was asked for; ask for at least 1")
    draw = np.random.default_rng(seed)
    female, foreign = draw.random(n) < FEMALE, draw.random(n) < FOREIGN
    job = _choose(draw, np.where(female[:, None], EMPLOYMENT["Female"], EMPLOYMENT["Male"]))
    late = _choose(draw, np.broadcast_to(LATE, (n, len(LATE))))
    log_income = _income(job, female, foreign) + INCOME_NOISE * draw.standard_normal(n)
    log_debt = DEBT_CENTRE + DEBT_NOISE * draw.standard_normal(n)
    sound = 1 + BY_INCOME * (log_income - 3) + BY_DEBT * (log_debt - DEBT_CENTRE) + BY_LATE * late
    repays = sound + draw.standard_normal(n) >= 0
    approved = sound + BAR_FEMALE * female + LENDER_NOISE * draw.standard_normal(n) >= BAR
    wrong = draw.random(n) < np.where(repays, np.where(foreign, LOST["foreign"], LOST["domestic"]), GAINED)
    postcode = _choose(draw, np.where(foreign[:, None], POSTCODE["foreign"], POSTCODE["domestic"]))
    origin_unknown = draw.random(n) < np.where(foreign, ORIGIN_UNKNOWN["foreign"], ORIGIN_UNKNOWN["domestic"])
    return pandas.DataFrame(
        {
            "sex": _named(LEVELS["sex"], ~female, draw.random(n) < SEX_UNKNOWN),
            "origin": _named(LEVELS["origin"], foreign, origin_unknown),
            "postcode": np.array(POSTCODES)[postcode],
            "age": draw.integers(21, 71, n),
            "employment": np.array(JOBS)[job],
            "income": np.exp(log_income),
            "debt": np.exp(log_debt),
            "late_payments": late,
            "approved": approved.astype(int),
            "repaid": (repays ^ wrong).astype(int),
            "repays": repays.astype(int),
        }
    )


def truth(sex: str | None = None, origin: str | None = None, label: Label = "repaid") -> Truth:
    """What holds in a group, in closed form: a sum of normal probabilities over the discrete causes.

    Given sex, origin, employment and late payments, (s + noise, lender's index) is bivariate normal, so each cell's
    P(repays and approved) is a value of its distribution function.

    Args:
        sex: the group's; None: both.
        origin: the group's; None: both.
        label: against what the lender is judged: the books ("repaid"), or what is true ("repays").

    Raises:
        DataError: there is no such group.

    Example:
        >>> round(truth("Female").base_rate, 3) < round(truth("Male").base_rate, 3)
        True
    """
    cells = [cell for cell in _cells() if sex in (None, cell.sex) and origin in (None, cell.origin)]
    if not cells:
        raise DataError(f"there is no group sex={sex}, origin={origin}; the levels are {LEVELS}")
    share = sum(cell.share for cell in cells)
    both = good = chosen = 0.0
    for cell in cells:
        kept, gained = (1 - LOST[cell.origin], GAINED) if label == "repaid" else (1.0, 0.0)
        good += cell.share * (kept * cell.repays + gained * (1 - cell.repays))
        both += cell.share * (kept * cell.both + gained * (cell.approved - cell.both))
        chosen += cell.share * cell.approved
    return Truth(share, good / share, chosen / share, both / good, (chosen - both) / (share - good))


def foreign_given_postcode() -> dict[str, float]:
    """How far a postcode gives the origin away: P(foreign | postcode), by Bayes' rule, over people of every origin.

    Among those whose origin is known it is a little less, because more foreign origins are unknown.
    """
    foreign = FOREIGN * POSTCODE["foreign"]
    share = foreign / (foreign + (1 - FOREIGN) * POSTCODE["domestic"])
    return dict(zip(POSTCODES, share.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Cell:
    """People alike in all discrete causes: their share, P(repays), P(approved), P(both)."""

    sex: str
    origin: str
    share: float
    repays: float
    approved: float
    both: float


def _cells() -> Iterator[_Cell]:
    from scipy.stats import multivariate_normal, norm

    spread = (BY_INCOME * INCOME_NOISE) ** 2 + (BY_DEBT * DEBT_NOISE) ** 2  # the variance of s within a cell
    true_sd, lender_sd = math.sqrt(spread + 1), math.sqrt(spread + LENDER_NOISE**2)
    correlation = spread / (true_sd * lender_sd)
    covariance: Any = [[1, correlation], [correlation, 1]]
    joint = multivariate_normal(mean=None, cov=covariance)
    for sex, origin, job, late in product(LEVELS["sex"], LEVELS["origin"], range(3), range(4)):
        female, foreign = sex == "Female", origin == "foreign"
        share = (FEMALE if female else 1 - FEMALE) * (FOREIGN if foreign else 1 - FOREIGN)
        income = float(_income(np.array(job), np.array(female), np.array(foreign)))
        mean = 1 + BY_INCOME * (income - 3) + BY_LATE * late
        a, b = mean / true_sd, (mean + BAR_FEMALE * female - BAR) / lender_sd
        share *= EMPLOYMENT[sex][job] * LATE[late]
        yield _Cell(sex, origin, share, float(norm.cdf(a)), float(norm.cdf(b)), float(joint.cdf([a, b])))


def _income(job: NDArray[np.int64], female: NDArray[np.bool_], foreign: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array(JOB_INCOME)[job] + INCOME_FEMALE * female + INCOME_FOREIGN * foreign


def _choose(draw: np.random.Generator, chances: NDArray[np.float64]) -> NDArray[np.int64]:
    """One choice a row, by [n, choices] chances."""
    steps = np.cumsum(chances, axis=1)[:, :-1]
    return (draw.random(len(chances))[:, None] >= steps).sum(axis=1)


def _named(levels: tuple[str, ...], second: NDArray[np.bool_], unknown: NDArray[np.bool_]) -> NDArray[np.object_]:
    names = np.array(levels, dtype=object)[second.astype(int)]
    names[unknown] = None
    return names
