"""Identity terms in texts: groups of texts by the terms they hold, and texts with one term put for another. No torch.

Terms are users' own word lists, level -> words, such as {"female": ["she", "woman"], "male": ["he", "man"]}. The k-th
word of one level stands for the k-th of every other. Whole words count, whatever their case; the case is kept when a
word is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError
from ....models.labels import cluster_names
from ...analysis import Section
from ...criteria import Levels
from ...findings import Finding
from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from .flips import ARROW, Pairs, mean, share

Terms = Mapping[str, Sequence[str]]
Scorer = Callable[[list[str]], object]

SLOT = "⟨…⟩"  # stands in a template where a term stood


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """Texts beside what they would be with another level's terms.

    Attributes:
        original: [m] the place of the text that each comes from.
        texts: [m] with its terms replaced.
        before, after: [m] codes of the level it had and has now.
        levels: the names of the levels.
        templates: [m] the text with a slot for each term: texts that differ only in their terms share one.
        several: texts left out, as they hold terms of several levels.
    """

    original: NDArray[np.int64]
    texts: tuple[str, ...]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    levels: tuple[str, ...]
    templates: tuple[str, ...]
    several: int

    def __len__(self) -> int:
        return len(self.texts)


def groups_from_terms(texts: Sequence[str], terms: Terms) -> list[str | None]:
    """For each text the level whose terms it holds; None where it holds none, or those of several.

    Use it as a sensitive column where texts have no group of their own [dixon2018].

    Raises:
        DataError: a list is empty, or a word stands in two lists.

    Example:
        >>> groups_from_terms(["She left.", "He and she", "rain", "The HERO"], {"female": ["she"], "male": ["he"]})
        ['female', None, None, None]
    """
    words = _Words.of(terms, aligned=False)
    held = [{level for level, _ in words.found(text)} for text in texts]
    return [words.levels[next(iter(some))] if len(some) == 1 else None for some in held]


def counterfactuals(texts: Sequence[str], terms: Terms) -> Counterfactuals:
    """Each text that holds terms of one level alone, with those of each other level in their place.

    Raises:
        DataError: lists differ in length, one is empty, or a word stands in two of them.

    Example:
        >>> found = counterfactuals(["She said SHE won."], {"female": ["she"], "male": ["he"]})
        >>> found.texts, found.templates
        (('He said HE won.',), ('⟨…⟩ said ⟨…⟩ won.',))
    """
    words = _Words.of(terms, aligned=True)
    rows: list[tuple[int, str, int, int, str]] = []
    several = 0
    for place, text in enumerate(texts):
        held = {level for level, _ in words.found(text)}
        several += len(held) > 1
        if len(held) == 1:
            (one,) = held
            template = words.pattern.sub(SLOT, text)
            others = (k for k in range(len(words.levels)) if k != one)
            rows += [(place, words.replaced(text, other), one, other, template) for other in others]
    original, changed, before, after, templates = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    codes = (np.array(column, np.int64) for column in (original, before, after))
    first, second, third = codes
    return Counterfactuals(first, tuple(changed), second, third, words.levels, tuple(templates), several)


def flips_of_texts(
    texts: Sequence[str],
    score: Scorer,
    terms: Terms,
    *,
    attribute: str = "identity",
    templates: Sequence[object] | None = None,
    threshold: float = 0.5,
    level: float = 0.95,
) -> Section:
    """How many decisions on texts change when identity terms are swapped, and how far scores move [garg2019].

    Texts made from one template are alike, so templates are the clusters that intervals are made from.

    Args:
        texts: [n].
        score: texts -> [n] scores of the positive class: a model with its tokeniser.
        terms: level -> words.
        attribute: what the levels are levels of.
        templates: [n] names of what each text was made from; None: the text itself without its terms.
        threshold: from which score on a text is decided positive.
        level: of the intervals.

    Returns:
        `flip_rate` and `mean_score_change` of each direction {"attribute": …, "component": "female → male"}, and
        over all of them `flip_rate` and `mean_absolute_score_change` at {"attribute": …}.

    Raises:
        DataError: word lists are not as they must be, or the scorer returns something other than a number a text.
    """
    swapped, levels = counterfactuals(texts, terms), Levels(level)
    if templates is not None and len(templates) != len(texts):
        raise DataError(f"{len(templates)} templates for {len(texts)} texts; give one a text")
    limits = () if not swapped.several else (Message("several_terms", {"count": swapped.several, "n": len(texts)}),)
    if not len(swapped):
        why = Message("no_terms", {"level": " or ".join(terms)})
        missing = undefined(why, analysis="fairness", metric="flip_rate", n=0, where={"attribute": attribute})
        return Section((missing,), limitations=limits)
    used, back = np.unique(swapped.original, return_inverse=True)
    before = _scored(score, [texts[int(k)] for k in used])[back]
    after = _scored(score, list(swapped.texts))
    named = swapped.templates if templates is None else [templates[int(k)] for k in swapped.original]
    clusters = cluster_names("templates", np.array([str(name) for name in named], dtype=object))
    measures = [
        m
        for one, other in permutations(range(len(swapped.levels)), 2)
        for m in _direction(swapped, one, other, before, after, clusters, threshold, attribute, levels)
    ]
    flipped = (before >= threshold) != (after >= threshold)
    where = {"attribute": attribute}
    overall = share(flipped, where, levels, clusters)
    moved = mean("mean_absolute_score_change", np.abs(after - before), where, levels, clusters)
    found = _finding(overall) if overall.value else ()
    return Section((overall, moved, *measures), findings=found, limitations=limits)


def flips_of_pairs(
    before: object,
    after: object,
    *,
    attribute: str = "identity",
    clusters: Sequence[object] | None = None,
    threshold: float = 0.5,
    level: float = 0.95,
) -> Section:
    """The same of scores of texts (or rows) and of counterfactuals that someone else made.

    Args:
        before: [n] scores of texts as they are.
        after: [n] scores of their counterfactuals.
        attribute: what was swapped.
        clusters: [n] names of templates; None: each text stands alone.
        threshold: from which score on a text is decided positive.
        level: of the intervals.
    """
    first, second = (np.asarray(x, float).reshape(-1) for x in (before, after))
    if len(first) != len(second) or not len(first):
        raise DataError(f"{len(first)} scores before and {len(second)} after; give one pair a text, at least one")
    names = None if clusters is None else cluster_names("clusters", np.array([str(c) for c in clusters], dtype=object))
    decided, redecided = ((x >= threshold).astype(np.int64) for x in (first, second))
    pairs = Pairs(first, second, decided, redecided, names)
    measures = tuple(pairs.measures({"attribute": attribute}, Levels(level)))
    return Section(measures, findings=_finding(measures[0]) if measures[0].value else ())


def _direction(
    swapped: Counterfactuals,
    one: int,
    other: int,
    before: Floats,
    after: Floats,
    clusters: NDArray[np.uint64],
    threshold: float,
    attribute: str,
    levels: Levels,
) -> list[Measure]:
    where = {"attribute": attribute, "component": ARROW.join(swapped.levels[k] for k in (one, other))}
    mine = (swapped.before == one) & (swapped.after == other)
    if not mine.any():
        why = Message("no_terms", {"level": swapped.levels[one]})
        return [undefined(why, analysis="fairness", metric="flip_rate", n=0, where=where)]
    first, second = before[mine], after[mine]
    decided, redecided = ((x >= threshold).astype(np.int64) for x in (first, second))
    return list(Pairs(first, second, decided, redecided, clusters[mine]).measures(where, levels))


def _finding(m: Measure) -> tuple[Finding, ...]:
    who = m.where["attribute"]
    parameters = {"where": m.where, "value": m.value, "low": m.low, "high": m.high, "level": m.level, "n": m.n}
    return (Finding(f"fairness.flips[attribute={who}]", "flips", parameters, severity="medium", evidence=(0,)),)


def _scored(score: Scorer, texts: list[str]) -> Floats:
    found = np.asarray(score(texts), float)
    found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    if found.shape != (len(texts),) or not np.isfinite(found).all():
        raise DataError(
            f"the scorer returns {list(found.shape)} for {len(texts)} texts; it must return one finite number a text"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Words:
    """Word lists ready to be looked for.

    Attributes:
        levels: their names, in the order given.
        lists: the words of each, as given.
        places: word in lower case -> (level, place in its list).
        pattern: any of the words, whole, whatever its case.
    """

    levels: tuple[str, ...]
    lists: tuple[tuple[str, ...], ...]
    places: Mapping[str, tuple[int, int]]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, terms: Terms, *, aligned: bool) -> _Words:
        levels, lists = tuple(terms), tuple(tuple(words) for words in terms.values())
        if len(levels) < (2 if aligned else 1) or not all(lists):
            raise DataError(f"word lists {list(levels)}: give two levels or more, each with a word")
        lengths = {level: len(words) for level, words in zip(levels, lists, strict=True)}
        if aligned and len(set(lengths.values())) > 1:
            told = ", ".join(f"{level} has {n}" for level, n in lengths.items())
            raise DataError(f"word lists differ in length ({told}); the k-th word of each stands for the k-th of all")
        places: dict[str, tuple[int, int]] = {}
        for code, words in enumerate(lists):
            for place, word in enumerate(words):
                if not word.strip():
                    raise DataError(f"the list of '{levels[code]}' holds a blank word; take it out")
                if places.setdefault(word.lower(), (code, place))[0] != code:
                    other = levels[places[word.lower()][0]]
                    raise DataError(f"'{word}' stands in the lists of '{other}' and '{levels[code]}'; keep it in one")
        longest = sorted(places, key=lambda word: (-len(word), word))
        pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest)) + r")(?!\w)", re.IGNORECASE)
        return cls(levels, lists, places, pattern)

    def found(self, text: str) -> list[tuple[int, int]]:
        """(level, place) of each term in the text."""
        return [self.places[match.group().lower()] for match in self.pattern.finditer(text)]

    def replaced(self, text: str, level: int) -> str:
        """The text with that level's terms."""

        def term(match: re.Match[str]) -> str:
            _, place = self.places[match.group().lower()]
            return cased(self.lists[level][place], match.group())

        return self.pattern.sub(term, text)


def cased(word: str, like: str) -> str:
    """A word in the case of another: all capitals, a capital first, or as it is.

    >>> cased("he", "She"), cased("he", "SHE"), cased("he", "she"), cased("Muslim", "jew")
    ('He', 'HE', 'he', 'Muslim')
    """
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
