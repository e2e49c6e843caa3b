"""Do attributions lie where people see the evidence? Words of film reviews and toxic comments, with intervals.

Claim: on the Stanford sentiment treebank and on the toxic-spans corpus, the words that attributions name beat a random
ranking of the same words, in every measure of localisation, by an interval that lies above 0. The model is a small one
of word vectors that is trained here within seconds, on whole sentences: it has never seen which words matter to people.
"""

from __future__ import annotations

import ast
import csv
import gzip
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from gnomon.audit.explain import Attributions, attribute, evaluate
from torch import Tensor, nn

WORDS = re.compile(r"[A-Za-z']+|[^\sA-Za-z']")
PIECE = 12  # words of a comment that are one example: with or without a toxic span
ROWS = 800  # that are explained
LENGTH = 40  # words of a row; longer ones are cut
METRICS = (
    "pointing_game",
    "top_k_intersection",
    "relevance_rank_accuracy",
    "relevance_mass_accuracy",
    "localisation_auc",
    "learned_structure",
    "parameter_randomisation",
)


@dataclass(frozen=True, slots=True)
class Text:
    """One example: its words, what it is, and for each word which way people say it points (−1, 0, 1)."""

    words: list[str]
    label: int
    evidence: list[int]


class Words(nn.Module):
    """Word vectors, two at a time, their largest activations, one logit for each of two classes."""

    def __init__(self, known: int, width: int = 32) -> None:
        super().__init__()
        self.vectors = nn.Embedding(known, width, padding_idx=0)
        self.pairs = nn.Conv1d(width, width, 2, padding=1)
        self.out = nn.Linear(2 * width, 2)

    def forward(self, codes: Tensor) -> Tensor:
        found = self.vectors(codes)
        there = (codes != 0)[..., None].to(found.dtype)
        mean = (found * there).sum(1) / there.sum(1).clamp(min=1)
        pairs = torch.relu(self.pairs(found.transpose(1, 2))).amax(2)
        return self.out(torch.cat([mean, pairs], 1))


def main() -> int:
    folder = Path(os.environ.get("GNOMON_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        print("real data is absent: set GNOMON_DATA to a folder with one folder a data set")
        return 0
    for name, load in (("sentiment treebank", treebank), ("toxic spans", comments)):
        train, test = load(folder)
        begun = time.perf_counter()
        model, codes = trained(train)
        seconds = time.perf_counter() - begun
        inputs, masks, right = explained(model, codes, test)
        kept = masks.any(1).nonzero()[:ROWS, 0]  # without evidence there is nothing to localise
        print(
            f"\n{name}: {len(train):,} texts trained on in {seconds:.1f} s, {right:.1%} of {len(test):,} others right"
        )
        told(model, inputs[kept], masks[kept])
    return 0


def told(model: Words, inputs: Tensor, masks: Tensor) -> None:
    """Print each method's localisation above chance."""
    target = predicted(model, inputs)
    found = {name: words(model, inputs, target, name) for name in ("feature_ablation", "integrated_gradients")}
    result = evaluate(model, found, metrics=METRICS, masks=masks)
    print(f"{'':36}{'value':>8}{'above a random ranking, 95 % interval':>40}{'rows':>8}")
    for name in found:
        for metric in METRICS[:5]:
            value, above = result.find(metric, name), result.find(metric, name, "above_chance")
            interval = f"{above.value:+.3f} [{above.low:+.3f}, {above.high:+.3f}]"
            print(f"{name + ' ' + metric:<46}{value.value:>8.3f}{interval:>28}{above.n:>8,}")
        why = result.evidence[name]
        print(f"{name}: {'passes the sanity check' if why is None else why}")


def words(model: Words, inputs: Tensor, target: Tensor, method: str) -> Attributions:
    """Attributions of the words, against padding."""
    looked_up = "vectors" if method == "integrated_gradients" else None
    return attribute(model, inputs, method=method, target=target, baselines=0, tolerance=1e-2, embedding=looked_up)


def predicted(model: Words, inputs: Tensor) -> Tensor:
    """[n] the class that the model gives to each row."""
    with torch.no_grad():
        return model(inputs).argmax(1)


def explained(model: Words, codes: dict[str, int], texts: list[Text]) -> tuple[Tensor, Tensor, float]:
    """Rows, the words that people say point the way that the model decided, and the share that it got right."""
    inputs, labels, evidence = coded(texts, codes)
    decided = predicted(model, inputs)
    way = torch.where(decided == 1, 1, -1)[:, None]
    return inputs, evidence == way, float((decided == labels).double().mean())


def trained(texts: list[Text], epochs: int = 3) -> tuple[Words, dict[str, int]]:
    """A model and its vocabulary: words that occur twice."""
    count: dict[str, int] = {}
    for text in texts:
        for word in text.words:
            count[word] = count.get(word, 0) + 1
    codes = {word: k + 2 for k, word in enumerate(sorted(w for w, times in count.items() if times > 1))}
    inputs, labels, _ = coded(texts, codes)
    torch.manual_seed(0)
    model = Words(len(codes) + 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(64):
            dropped = torch.where(torch.rand(inputs[rows].shape) < 0.1, 1, inputs[rows]) * (inputs[rows] != 0)
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(dropped), labels[rows]).backward()
            optimiser.step()
    return model.eval(), codes


def coded(texts: list[Text], codes: dict[str, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Codes [n, words] (0 = padding, 1 = unknown), labels [n], and the people's word for each word [n, words]."""
    inputs = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    evidence = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    for k, text in enumerate(texts):
        found = [codes.get(word, 1) for word in text.words[:LENGTH]]
        inputs[k, : len(found)] = torch.tensor(found)
        evidence[k, : len(found)] = torch.tensor(text.evidence[:LENGTH])
    return inputs, torch.tensor([text.label for text in texts]), evidence


def treebank(folder: Path) -> tuple[list[Text], list[Text]]:
    """Sentences that are not neutral, by the root's label; each word's own label says which way it points."""
    found = []
    for part in ("train", "test"):
        with gzip.open(folder / "sst_trees" / f"{part}.txt.gz", "rt", encoding="utf-8") as file:
            trees = [line for line in file if line.strip() and line[1] != "2"]
        found.append([sentence(tree) for tree in trees])
    return found[0], found[1]


def sentence(tree: str) -> Text:
    """From brackets: (3 (2 It) (4 works))."""
    leaves = re.findall(r"\((\d) ([^()]+)\)", tree)
    points = [(int(label) > 2) - (int(label) < 2) for label, _ in leaves]
    return Text([word.lower() for _, word in leaves], int(tree[1]) // 3, points)


def comments(folder: Path) -> tuple[list[Text], list[Text]]:
    """Pieces of comments, toxic where they touch a span that people marked."""
    return pieces(folder / "toxic_spans" / "tsd_train.csv.gz"), pieces(folder / "toxic_spans" / "tsd_test.csv.gz")


def pieces(path: Path) -> list[Text]:
    """Of all comments of a file."""
    found = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            marked = set(ast.literal_eval(row["spans"]))
            said = list(WORDS.finditer(row["text"]))
            for start in range(0, len(said), PIECE):
                part = said[start : start + PIECE]
                flags = [int(bool(marked & set(range(word.start(), word.end())))) for word in part]
                found.append(Text([word.group().lower() for word in part], int(any(flags)), flags))
    return found


if __name__ == "__main__":
    sys.exit(main())
