"""Pooled, structured and confirmed: how often intervals of small groups hold the truth, and how long they take.

Run as `python benchmarks/pooling.py`. Groups are drawn from a known truth; coverage is of a nominal 95 %.
"""

from __future__ import annotations

import time
from itertools import product

import numpy as np
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import bounds
from gnomon.audit.fairness.small import detectable, discovery, effects, pooling, structured
from scipy.stats import beta

POOLS = ((8, 1e9, 5, 100), (8, 50, 5, 100), (30, 20, 2, 60), (4, 30, 10, 300), (6, 5, 10, 300), (12, 300, 5, 300))
SHAPES = (((2, 5), 0.0), ((2, 5), 0.15), ((4, 5), 0.0), ((4, 5), 0.15), ((2, 2), 0.1))


def pools(tables: int = 800) -> None:
    """Coverage of the pooled interval and of the plain posterior's, over groups drawn from a beta distribution."""
    print("groups  strength     rows   coverage   plain posterior   mean squared error to that of raw rates")
    rng = np.random.default_rng(0)
    for groups, strength, least, most in POOLS:
        m = rng.integers(least, most, (tables, groups)).astype(float)
        truth = rng.beta(0.2 * strength, 0.8 * strength, m.shape)
        x = rng.binomial(m.astype(int), truth).astype(float)
        found = pooling.fit(x, m)
        low, high = pooling.interval(x, m, found, 0.95)
        held = np.mean((low <= truth) & (truth <= high))
        k, mean = np.minimum(found.strength, 1e8)[:, None], found.mean[:, None]
        plain = [beta.ppf(end, x + k * mean, m - x + k * (1 - mean)) for end in (0.025, 0.975)]
        bare = np.mean((plain[0] <= truth) & (truth <= plain[1]))
        gain = np.nanmean((found.rates(x, m) - truth) ** 2) / np.mean((x / m - truth) ** 2)
        print(f"{groups:6d} {strength:9g} {least:4d}–{most:<4d} {held:9.3f} {bare:17.3f} {gain:12.2f}")


def regressions(tables: int = 80) -> None:
    """Coverage of the structured interval, and how often the test of interaction speaks."""
    print("shape  interaction   coverage   mean squared error to that of raw rates   p < 0.05")
    rng = np.random.default_rng(0)
    for sizes, size in SHAPES:
        codes = np.array(list(product(*map(range, sizes))))
        single = [np.eye(levels)[codes[:, axis]] for axis, levels in enumerate(sizes)]
        design = effects.Design(np.concatenate([*single, np.eye(len(codes))], 1), sum(sizes))
        held, own, raw, spoke = [], 0.0, 0.0, 0
        for _ in range(tables):
            m = np.exp(rng.uniform(np.log(8), np.log(400), len(codes))).astype(int).astype(float)
            truth = 0.4 + sum(rng.uniform(-0.12, 0.12, k)[codes[:, axis]] for axis, k in enumerate(sizes))
            truth = truth + size * rng.choice([-1, 1], len(codes)) * (rng.random(len(codes)) < 0.25)
            truth = np.clip(truth, 0.02, 0.98)
            rates = rng.binomial(m.astype(int), truth) / m
            fitted = effects.fit(design, rates, effects.spread(rates, m))
            drawn = effects.resampled(design, fitted, rates, m, 200, rng)
            low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
            held.append((np.minimum(low, fitted.rates) <= truth) & (truth <= np.maximum(high, fitted.rates)))
            own += float(np.sum((fitted.rates - truth) ** 2))
            raw += float(np.sum((rates - truth) ** 2))
            p = effects.interaction(design, rates, m, 199, rng)
            spoke += p is not None and p < 0.05
        print(f"{sizes!s:7} {size:9.2f} {np.mean(held):12.3f} {own / raw:24.2f} {spoke / tables:24.3f}")


def seconds() -> None:
    """How long each part takes on 40 groups, and on 40,000 combinations with rows of unknown group."""
    rng, n = np.random.default_rng(0), 400_000
    for name, sizes in (("5 × 8 groups", (5, 8)), ("200 × 200 groups", (200, 200))):
        levels = [[f"{axis}{k}" for k in range(size)] for axis, size in enumerate(sizes)]
        people = {f"attribute {axis}": rng.choice(some, n).astype(object) for axis, some in enumerate(levels)}
        people["attribute 0"][rng.random(n) < 0.01] = None
        counts = Counts.from_arrays(rng.integers(0, 2, n), rng.integers(0, 2, n), people)
        context = counts.context()
        assert context.groupings
        for part in (detectable, pooling, bounds, structured, discovery):
            start = time.perf_counter()
            found = part.section(context)
            took = time.perf_counter() - start
            print(f"{name}: {part.__name__.rpartition('.')[2]} {took:.3f} s, {len(found.measures):,} measures")


if __name__ == "__main__":
    pools()
    regressions()
    seconds()
