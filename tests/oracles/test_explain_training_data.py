"""Influence and concepts against their formulas written out, and against captum where it is right."""

from typing import Any

import pytest
import torch
from gnomon.audit.explain import concepts, influence
from torch import nn
from torch.utils.data import TensorDataset

DOUBLE: Any = {"dtype": torch.float64}


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def data(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=generator, **DOUBLE), torch.randint(0, 3, (n,), generator=generator)


def checkpoints(model, count=3) -> Any:
    return [{k: v + 0.1 * (t + 1) * torch.ones_like(v) for k, v in model.state_dict().items()} for t in range(count)]


def by_hand(model, weights, x, y, loss, only=""):
    """[n, parameters] the gradient of each row's loss, one row after the other."""
    model.load_state_dict(weights)
    chosen = [p for name, p in model.named_parameters() if name.startswith(only)]
    rows = [torch.autograd.grad(loss(model(x[i : i + 1]), y[i : i + 1]), chosen) for i in range(len(x))]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


@pytest.mark.parametrize("only", ["", "2."])
def test_influence_is_the_sum_of_gradient_products_over_checkpoints(only):
    model, loss, rates = network(), nn.functional.cross_entropy, [0.1, 0.2, 0.4]
    (x, y), (own, labels), states = data(20, 1), data(5, 2), checkpoints(network())
    expected, itself = torch.zeros(5, 20, **DOUBLE), torch.zeros(20, **DOUBLE)
    for rate, weights in zip(rates, states, strict=True):
        theirs, mine = (by_hand(model, weights, *rows, loss, only) for rows in ((x, y), (own, labels)))
        expected += rate * mine @ theirs.T
        itself += rate * theirs.square().sum(1)
    parameters = [only] if only else None
    found = influence(network(), states, x, y, own, labels, loss=loss, rates=rates, top=4, parameters=parameters)
    torch.testing.assert_close(found.scores, expected, atol=1e-12, rtol=1e-10)
    torch.testing.assert_close(found.self_influence, itself, atol=1e-12, rtol=1e-10)
    assert found.helped.tolist() == expected.argsort(dim=1, descending=True)[:, :4].tolist()
    assert found.hurt.tolist() == expected.argsort(dim=1)[:, :4].tolist()


def test_influence_is_captums():
    from captum.influence import TracInCP

    (x, y), (own, labels), states = data(20, 1), data(5, 2), checkpoints(network())

    def load(model, state):
        model.load_state_dict(state)
        return 1.0

    every = nn.CrossEntropyLoss(reduction="none")
    captum = TracInCP(network(), TensorDataset(x, y), states, load, loss_fn=every, batch_size=20)
    found = influence(network(), iter(states), x, y, own, labels, loss=nn.functional.cross_entropy)
    torch.testing.assert_close(found.scores, captum.influence((own, labels)), atol=1e-10, rtol=1e-8)


def test_a_model_that_cannot_be_vectorised_goes_row_by_row_to_the_same_numbers():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return self.inner(x) if float(x.sum()) > -1e9 else x  # data decides, which no vectorised pass can follow

    model, (x, y), (own, labels) = Branching(), data(6, 1), data(2, 2)
    plain = network()
    one = influence(model, [model.state_dict()], x, y, own, labels, loss=nn.functional.cross_entropy)
    other = influence(plain, [plain.state_dict()], x, y, own, labels, loss=nn.functional.cross_entropy)
    torch.testing.assert_close(one.scores, other.scores)


def normal(positive, negative):
    """The concept's direction: ridge regression of ±1 on activations, by the normal equations."""
    x = torch.cat([positive, negative]).double()
    y = torch.cat([torch.ones(len(positive)), -torch.ones(len(negative))]).double()
    centred = x - x.mean(0)
    penalty = 0.1 * centred.square().sum(1).mean()
    weights = torch.linalg.solve(centred.T @ centred + penalty * torch.eye(x.shape[1]), centred.T @ (y - y.mean()))
    return weights / weights.norm()


def test_a_concepts_score_is_the_share_of_rows_that_rise_along_its_normal():
    model, (rows, _), (examples, _), (pool, _) = network().float(), data(40, 1), data(12, 2), data(60, 3)
    rows, examples, pool = rows.float(), examples.float() + torch.tensor([2.0, 0, 0, 0]), pool.float()
    generator = torch.Generator().manual_seed(5)
    (found,) = concepts(
        model, rows, {"first is high": examples}, pool, layer="1", target=2, sets=4, generator=generator
    )

    generator, scores = torch.Generator().manual_seed(5), []
    hidden = model[1](model[0](rows)).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(model[2](hidden)[:, 2].sum(), hidden)
    for _ in range(4):
        other = pool[torch.randperm(60, generator=generator)[:12]]
        cut = normal(*(model[1](model[0](some)).detach() for some in (examples, other)))
        scores.append(float((slopes.double() @ cut > 0).double().mean()))
    assert found.score == pytest.approx(sum(scores) / 4, abs=1e-6)
    assert found.low <= found.score <= found.high


def test_a_planted_concept_is_found_and_an_empty_one_is_not():
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        model[0].weight.mul_(0.1)[:, 0] = 1
        model[2].weight.fill_(1)
    rows, pool = torch.randn(40, 6), torch.randn(120, 6)
    high = torch.randn(20, 6) + torch.tensor([2.0, 0, 0, 0, 0, 0])
    planted, empty = concepts(model, rows, {"high": high, "nothing": torch.randn(20, 6)}, pool, layer=model[1])
    assert (planted.name, empty.name) == ("high", "nothing")
    assert planted.score > 0.95
    assert planted.adjusted < 0.05
    assert planted.accuracy > 0.7
    assert empty.adjusted > 0.05
    assert empty.accuracy < 0.7
