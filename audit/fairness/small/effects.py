"""Rates as sums of effects of attributes and of their combinations: fit, intervals, test. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...intervals import Floats

PENALTIES = 30  # strengths of the LASSO that are tried
SWEEPS, ACCURACY, RELAXED = 1_000, 1e-5, 1.6  # of the solver; the accuracy in units of a rate
UNDERSMOOTHED = 0.25  # of the penalty, for the intervals: a full one hides what it drew to 0
FLOOR = 0.5  # rows that a rate is kept away from 0 and 1 when its variance is told


@dataclass(frozen=True, slots=True)
class Design:
    """The groups with rows, as sums of effects.

    Attributes:
        effects: [groups, effects] 1 where a group has that level, or that combination of levels.
        levels: how many of the effects, the first, are of single levels.
    """

    effects: Floats
    levels: int

    @property
    def additive(self) -> Floats:
        """[groups, levels + 1] the effects of single levels, and one of all."""
        return np.column_stack([np.ones(len(self.effects)), self.effects[:, : self.levels]])


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted regression: rates [groups], the LASSO's penalty, and how many effects were kept."""

    rates: Floats
    penalty: float
    kept: int


def fit(design: Design, rates: Floats, variance: Floats) -> Fit:
    """The weighted LASSO [tibshirani1996] at the penalty with the least RSS + 2·df, df the effects it keeps [zou2007].

    Minimises ½ Σ (p − θ₀ − θ·φ)² / σ² + λ Σ |θ|; the level of all, θ₀, is not penalised. Effects are not scaled, so
    that one penalty means one size of effect, and a combination with few rows is drawn to 0 most.

    Args:
        rates: [groups] p; variance: [groups] σ².
    """
    root = 1 / np.sqrt(variance)[:, None]
    x, y = _centred(design.effects, 1 / variance) * root, _centred(rates[:, None], 1 / variance) * root
    steepest = float(np.abs(x.T @ y).max())
    penalties = steepest * np.geomspace(1, 1e-3, PENALTIES)
    effects = lasso(x, np.repeat(y, PENALTIES, 1), penalties)
    loss = ((y - x @ effects) ** 2).sum(0) + 2 * np.array([_rank(x, column) for column in effects.T])
    best = int(loss.argmin())
    own = np.average(rates, weights=1 / variance) + x @ effects[:, best] / root[:, 0]
    return Fit(np.clip(own, 0, 1), float(penalties[best]), _rank(x, effects[:, best]))


def lasso(x: Floats, y: Floats, penalty: Floats | float) -> Floats:
    """[effects, responses] of x [groups, effects] on y [groups, responses], each with its own penalty [boyd2011].

    By the alternating direction method of multipliers, on all responses at once.
    """
    gram, pull = x.T @ x, x.T @ y
    strength = max(float(np.trace(gram)) / len(gram), 1e-12)
    solve = np.linalg.inv(gram + strength * np.eye(len(gram)))
    effects, dual = np.zeros_like(pull), np.zeros_like(pull)
    for _ in range(SWEEPS):
        smooth = solve @ (pull + strength * (effects - dual))
        wanted = RELAXED * smooth + (1 - RELAXED) * effects + dual
        new = np.sign(wanted) * np.maximum(np.abs(wanted) - penalty / strength, 0)
        dual = wanted - new
        moved, effects = float(np.abs(new - effects).max()), new
        if max(moved, float(np.abs(new - smooth).max())) < ACCURACY:
            break
    return effects


def resampled(design: Design, fitted: Fit, rates: Floats, m: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """[groups, draws] rates of the regression fitted again to the rates seen with drawn residuals added.

    Their quantiles make an approximate interval, for a LASSO draws to 0 what it cannot tell from it: for a nominal 95 %
    `benchmarks/pooling.py` measures 90 to 96 %, most truths between 92 and 95 %.
    """
    variance = spread(rates, m)
    scaled = (rates - fitted.rates) / np.sqrt(variance)
    scaled = (scaled - scaled.mean()) if len(rates) - fitted.kept > 10 else np.zeros(0)
    if len(scaled) and scaled.std() > 0:
        noise = rng.choice(scaled / scaled.std(), (len(rates), draws))
    else:  # so few residuals are no sample of errors, whose variance is known
        noise = rng.standard_normal((len(rates), draws))
    drawn = rates[:, None] + np.sqrt(variance)[:, None] * noise
    root = 1 / np.sqrt(variance)[:, None]
    x, y = _centred(design.effects, 1 / variance) * root, _centred(drawn, 1 / variance) * root
    effects = lasso(x, y, fitted.penalty * UNDERSMOOTHED)
    return np.clip(np.average(drawn, axis=0, weights=1 / variance) + x @ effects / root, 0, 1)


def interaction(design: Design, rates: Floats, m: Floats, draws: int, rng: np.random.Generator) -> float | None:
    """The p-value of Pearson's chi-square of the additive model, by tables drawn from it: (b+1)/(B+1).

    Additive in the rates: effects that add up in log odds are rejected too, with rows enough.
    None where the attributes' own effects leave nothing over to test.
    """
    basis = design.additive
    if np.linalg.matrix_rank(basis) >= len(rates):
        return None
    expected = _fitted(basis, rates[:, None], 1 / m)[:, 0]
    for _ in range(3):  # weights follow the rates fitted
        expected = _fitted(basis, rates[:, None], _variance(expected, m))[:, 0]
    variance, inside = _variance(expected, m), np.clip(expected, 0, 1)
    rows = np.maximum(np.rint(m), 1)
    drawn = rng.binomial(rows[:, None].astype(np.int64), inside[:, None], (len(m), draws)) / rows[:, None]
    seen = _misfit(basis, rates[:, None], variance)[0]
    return float((np.sum(_misfit(basis, drawn, variance) >= seen * (1 - 1e-9)) + 1) / (draws + 1))


def spread(rates: Floats, m: Floats) -> Floats:
    """[groups] the variance of each rate: that within groups, pooled over all, over the group's rows."""
    within = float(m @ (rates * (1 - rates))) / max(float(m.sum()) - len(m), 1.0)
    edge = FLOOR / (float(m.sum()) + 1)
    return max(within, edge * (1 - edge)) / m


def _rank(x: Floats, effects: Floats) -> int:
    """How many directions the effects that are not 0 span."""
    kept = x[:, effects != 0]
    return int(np.linalg.matrix_rank(kept)) if kept.size else 0


def _centred(columns: Floats, weight: Floats) -> Floats:
    """Columns less their weighted means: what is left once the level of all is taken out."""
    return columns - np.average(columns, axis=0, weights=weight)


def _fitted(basis: Floats, rates: Floats, variance: Floats) -> Floats:
    """[groups, responses] least squares weighted by the inverse variance."""
    root = 1 / np.sqrt(variance)[:, None]
    return basis @ np.linalg.lstsq(basis * root, rates * root, rcond=None)[0]


def _variance(rates: Floats, m: Floats) -> Floats:
    """[groups] p(1−p)/m of rates that are kept off 0 and 1 by half a row of all."""
    edge = FLOOR / (float(m.sum()) + 1)
    inside = np.clip(rates, edge, 1 - edge)
    return inside * (1 - inside) / m


def _misfit(basis: Floats, rates: Floats, variance: Floats) -> Floats:
    """[responses] Σ (p − fitted)² / σ²."""
    return ((rates - _fitted(basis, rates, variance)) ** 2 / variance[:, None]).sum(0)
