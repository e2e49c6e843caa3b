"""Laws of integrated and expected gradients, codes by their vectors, budgets, and bad input."""

import pytest
import torch
import torch.nn.functional as F
from gnomon.audit.explain.asking import attribute
from gnomon.audit.explain.core import chunks
from gnomon.audit.explain.core.budget import Budget, Spending, meter_here
from gnomon.audit.explain.core.chunks import Chunks
from gnomon.audit.explain.core.function import Function
from gnomon.audit.explain.core.groups import groups_of
from gnomon.audit.explain.core.problem import Problem
from gnomon.audit.explain.errors import ExplanationError
from gnomon.audit.explain.paths import plans
from gnomon.audit.explain.paths.integral import path_integral
from gnomon.audit.explain.paths.line import Line
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

seeds = st.integers(0, 10_000)
activations = st.sampled_from([nn.ReLU, nn.GELU, nn.Tanh, nn.LeakyReLU])
laws = settings(max_examples=15, deadline=None)


def network(activation=nn.Tanh, seed=0, inputs=5, outputs=1):
    torch.manual_seed(seed)
    layers = nn.Linear(inputs, 12), activation(), nn.Linear(12, 9), activation(), nn.Linear(9, outputs)
    return nn.Sequential(*layers).double().eval()


def rows(n=4, d=5, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def integrated(model, x, **asked):
    return attribute(model, x, method="integrated_gradients", **asked)


def expected(model, x, **asked):
    return attribute(model, x, method="expected_gradients", **asked)


@laws
@given(seeds, activations)
def test_attributions_add_up_to_the_change_of_the_output(seed, activation):
    model, x, b = network(activation, seed), rows(seed=seed), rows(seed=seed + 1)
    found = integrated(model, x, baselines=b, tolerance=1e-8)
    torch.testing.assert_close(found.values.sum(1), (model(x) - model(b))[:, 0], rtol=0, atol=1e-6)


@laws
@given(seeds, activations)
def test_swapping_row_and_baseline_flips_every_sign(seed, activation):
    model, x, b = network(activation, seed), rows(seed=seed), rows(seed=seed + 1)
    there = integrated(model, x, baselines=b, tolerance=1e-9)
    back = integrated(model, b, baselines=x, tolerance=1e-9)
    torch.testing.assert_close(there.values, -back.values, rtol=0, atol=1e-7)


@laws
@given(seeds, activations)
def test_a_feature_that_the_model_does_not_read_gets_nothing_and_equal_ones_get_the_same(seed, activation):
    model, x = network(activation, seed, inputs=4), rows(seed=seed)
    x[:, 3] = x[:, 2]

    def reads(z):
        return model(torch.stack([z[:, 1], z[:, 2] + z[:, 3], z[:, 1], z[:, 4]], 1))

    found = integrated(reads, x, tolerance=1e-6)
    assert not found.values[:, 0].any()
    torch.testing.assert_close(found.values[:, 2], found.values[:, 3], rtol=0, atol=1e-10)


@laws
@given(seeds, st.floats(-3, 3))
def test_attributions_are_linear_in_the_model(seed, factor):
    one, two, x = network(nn.Tanh, seed), network(nn.GELU, seed + 1), rows(seed=seed)
    whole = integrated(lambda z: one(z) + factor * two(z), x, rule="gauss", nodes=15, tolerance=1.0)
    parts = [integrated(model, x, rule="gauss", nodes=15, tolerance=1.0).values for model in (one, two)]
    torch.testing.assert_close(whole.values, parts[0] + factor * parts[1], rtol=0, atol=1e-10)


@laws
@given(seeds, activations)
def test_a_row_alone_is_explained_as_in_company(seed, activation):
    model, x, b = network(activation, seed), rows(seed=seed), rows(7, seed=seed + 1)
    for run in (integrated, lambda *a, **k: expected(*a, background=b, **k)):
        together, alone = run(model, x), run(model, x[2:3])
        torch.testing.assert_close(together.values[2:3], alone.values, rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_the_size_of_pieces_changes_nothing(monkeypatch, size, activation):
    model, x, b = network(activation), rows(), rows(7, seed=1)
    whole = integrated(model, x), expected(model, x, background=b, budget=80)
    monkeypatch.setattr(chunks, "EVALUATIONS", size)
    cut = integrated(model, x), expected(model, x, background=b, budget=80)
    for one, other in zip(whole, cut, strict=True):
        torch.testing.assert_close(one.values, other.values, rtol=0, atol=1e-12)


def test_paths_held_a_few_at_a_time_give_the_same(monkeypatch):
    model, x = network(nn.ReLU), rows(9)
    whole = integrated(model, x)
    monkeypatch.setattr("gnomon.audit.explain.paths.integral.HOLD", 12)
    cut = integrated(model, x)
    torch.testing.assert_close(whole.values, cut.values, rtol=0, atol=1e-12)
    assert whole.details["nodes"].equal(cut.details["nodes"])


@laws
@given(seeds, st.sampled_from([nn.GELU, nn.Tanh, nn.SiLU]))
def test_the_estimate_is_not_below_the_error(seed, activation):
    model, x = network(activation, seed), 3 * rows(seed=seed)
    found = integrated(model, x, rule="gauss", budget=15, tolerance=1.0)
    truth = integrated(model, x, rule="gauss", nodes=120, tolerance=1.0).values
    assert ((found.values - truth).abs() <= found.error + 1e-10).all()


@pytest.mark.parametrize("rule", ["gauss", "midpoint"])
def test_with_kinks_the_estimate_is_as_large_as_the_error_of_most_values(rule):
    model, x = network(nn.ReLU), 3 * rows(64)
    found = integrated(model, x, rule=rule, budget=27, tolerance=1.0)
    off = (found.values - integrated(model, x, rule="exact").values).abs()
    assert (off <= found.error + 1e-12).double().mean() > 0.8
    assert (off <= 3 * found.error + 1e-12).double().mean() > 0.95


def problem(model, x, baselines=None, target=None, **more):
    """What `attribute` hands to a method."""
    baselines = torch.zeros_like(x) if baselines is None else baselines
    budget = Spending(Budget.of(more.pop("budget", None)), meter_here())
    chunked, generator = Chunks.of((x,)), torch.Generator().manual_seed(0)
    return Problem(Function(model, target), (x,), (baselines,), groups_of((x,)), budget, chunked, generator, **more)


def test_other_pairs_than_rows_and_baselines_are_integrated_with_their_rows_target():
    model, x, b = network(outputs=3), rows(), rows(6, seed=1)
    target = torch.tensor([0, 2, 1, 0])
    pick = torch.tensor([3, 1, 1, 2, 0, 3])
    found = path_integral(problem(model, x, target=target, tolerance=1e-9), (b,), (x[pick],), pick)
    wanted = integrated(model, x[pick], baselines=b, target=target[pick], tolerance=1e-9)
    torch.testing.assert_close(found.values[0], wanted.values, rtol=0, atol=1e-9)
    assert len(found) == 6
    assert found.reached.all()


def test_rows_whose_rules_disagree_are_refined_and_the_rule_says_so():
    def model(z):
        return torch.tanh(z.sum(1) * 4)

    x = torch.tensor([[0.1, 0.1], [9.0, 9.0]], dtype=torch.float64)
    found = integrated(model, x)
    assert found.details["nodes"][0] == 15
    assert found.details["nodes"][1] > 15
    assert "1 of 2 rows were refined" in found.rule
    assert found.details["reached"].all()


def test_a_network_with_too_many_pieces_is_explained_by_middles_with_their_error():
    model, x = network(nn.ReLU), 3 * rows(seed=3)
    exact = integrated(model, x, rule="exact")
    assert (exact.details["nodes"] > 9).any()
    found = integrated(model, x, rule="exact", budget=9, tolerance=0.5)
    few = exact.details["nodes"] <= 9
    names = [found.details["rules"][int(number)] for number in found.details["rule"]]
    assert names == ["exact" if fits else "midpoint" for fits in few]
    assert (found.details["gradients"] <= 9).all()
    off = (found.values - exact.values).abs()[~few]
    assert (off <= 5 * found.error[~few]).double().mean() > 0.8


@pytest.mark.parametrize("budget", [3, 14, 20, 100, 256])
@pytest.mark.parametrize("shape", ["smooth", "piecewise_linear", "mixed", "unknown"])
def test_no_path_takes_more_gradients_than_the_budget(budget, shape):
    asked = problem(network(nn.ReLU), 3 * rows(seed=3), shape=shape, budget=budget, tolerance=1e-12)
    found = path_integral(asked)
    assert (found.gradients <= budget).all()
    assert (found.nodes > 0).all()
    assert asked.function.gradients == found.gradients.sum()
    assert all(error.isfinite().all() for error in found.error)


def test_pieces_of_a_curve_are_not_taken_for_exact():
    asked = problem(lambda z: (z.relu() ** 3).sum(1), rows(), shape="piecewise_linear")
    found = path_integral(asked)
    assert {plans.RULES[int(rule)] for rule in found.rule} == {"midpoint"}
    torch.testing.assert_close(found.values[0], rows().relu() ** 3, rtol=0, atol=3e-3)
    assert found.reached.all()


def test_middles_are_refined_threefold_and_use_all_their_nodes():
    asked = problem(network(nn.ReLU), 3 * rows(seed=3), tolerance=1e-12)
    found = path_integral(asked, rule="midpoint")
    whole = path_integral(asked, rule="midpoint", nodes=243)
    assert found.nodes.tolist() == [243] * 4
    assert found.gradients.tolist() == [243] * 4
    torch.testing.assert_close(found.values[0], whole.values[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.error[0], whole.error[0], rtol=0, atol=1e-12)


def test_a_row_at_its_baseline_gets_zeros_without_error():
    x = rows()
    found = integrated(network(nn.ReLU), x, baselines=x)
    assert not found.values.any()
    assert not found.error.any()


def test_a_softmax_over_kinks_is_no_piecewise_linear_function():
    asked = problem(network(nn.ReLU, outputs=2), rows(), target=0, shape="piecewise_linear")
    asked.function.quantity = "probability"
    assert plans.shape_of(asked) == "mixed"


def test_several_inputs_of_any_rank_are_explained_together():
    def model(a, b):
        return torch.tanh(a.sum((1, 2)) + 0.5 * b)

    a, b = torch.randn(3, 2, 4, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    found = attribute(model, (a, b[:, None]), method="integrated_gradients", forward=lambda f, x: f(x[0], x[1][:, 0]))
    change = torch.tanh(a.sum((1, 2)) + 0.5 * b)
    whole = a.sum((1, 2)) + 0.5 * b
    torch.testing.assert_close(found.values[0], a * (change / whole)[:, None, None], rtol=0, atol=1e-5)
    torch.testing.assert_close(found.values[1], (0.5 * b * change / whole)[:, None], rtol=0, atol=1e-5)


class Words(nn.Module):
    """Codes and places looked up, a mask by keyword."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(11, 4), nn.Embedding(9, 4)
        self.hidden, self.out = nn.Linear(4, 3), nn.Linear(3, 2)

    def head(self, vectors, mask=None):
        h = torch.tanh(self.hidden(vectors + self.places(torch.arange(vectors.shape[1]))))
        return self.out((h if mask is None else h * mask[..., None]).mean(1))

    def forward(self, codes, mask=None):
        return self.head(self.words(codes), mask)


@pytest.fixture
def words():
    torch.manual_seed(0)
    return Words().double().eval()


CODES = torch.tensor([[1, 2, 3, 4], [5, 0, 7, 10], [9, 9, 9, 0]])


@pytest.mark.parametrize("embedding", ["words", "auto"])
def test_codes_are_explained_along_the_vectors_that_are_looked_up_for_them(words, embedding):
    found = integrated(words, CODES, target=1, embedding=embedding)
    ends, starts = words.words(CODES).detach(), words.words(torch.zeros_like(CODES)).detach()
    wanted = integrated(words.head, ends, baselines=starts, target=1)
    torch.testing.assert_close(found.values, wanted.values.sum(2), rtol=0, atol=1e-12)
    assert found.values.shape == CODES.shape
    assert not found.values[1, 1]
    assert not words.words._forward_hooks
    assert found.cost.gradients == 3 * 15


def test_codes_agree_with_captums_layer_integrated_gradients(words):
    from captum.attr import LayerIntegratedGradients

    theirs = LayerIntegratedGradients(words, words.words).attribute(
        CODES, torch.zeros_like(CODES), target=1, n_steps=50
    )
    found = integrated(words, CODES, target=1, embedding="words", tolerance=1e-8)
    torch.testing.assert_close(found.values, theirs.sum(2), rtol=0, atol=1e-6)


def test_a_row_of_codes_at_its_baseline_gets_zeros(words):
    found = integrated(words, torch.zeros(2, 4, dtype=torch.int64), target=1, embedding="auto")
    assert found.values.shape == (2, 4)
    assert not found.values.any()


def test_a_mask_beside_codes_stays_as_it_is(words):
    inputs = {"codes": CODES, "mask": (CODES > 3).long()}
    found = integrated(words, inputs, target=1, embedding="words")
    assert not found.values["mask"].any()
    assert not found.values["codes"][inputs["mask"] == 0].any()
    with pytest.raises(ExplanationError, match="another way than by lookups"):
        integrated(words, inputs, target=1, embedding="auto")


class Table(nn.Module):
    """Columns of codes with one shared table and offsets, cut up inside, beside numbers."""

    def __init__(self, columns=((0,), (1,), (2,))):
        super().__init__()
        self.table, self.out = nn.Embedding(40, 3), nn.Linear(3 * len(columns) + 2, 1)
        self.columns = columns

    def forward(self, numbers, codes):
        read = [self.table(sum(codes[:, c] for c in some) + 10 * k) for k, some in enumerate(self.columns)]
        return self.out(torch.cat([F.gelu(numbers), *map(torch.tanh, read)], 1))


def test_shared_tables_are_followed_to_the_columns_that_they_are_read_from():
    torch.manual_seed(0)
    model, numbers = Table().double(), rows(6, 2)
    codes = torch.randint(0, 10, (6, 3))
    found = attribute(model, (numbers, codes), method="integrated_gradients", embedding="auto", tolerance=1e-9)
    for column in range(3):
        moved = codes.clone()
        moved[:, column] = 0
        change = (model(numbers, codes) - model(numbers, moved))[:, 0]  # the model is a sum over its columns
        torch.testing.assert_close(found.values[1][:, column], change, rtol=0, atol=1e-8)


def test_two_columns_in_one_lookup_are_refused():
    codes = torch.randint(1, 10, (6, 3))
    with pytest.raises(ExplanationError, match="cannot be told apart"):
        attribute(Table(((0, 1), (2,))).double(), (rows(6, 2), codes), method="integrated_gradients", embedding="auto")


def test_an_embedding_that_is_not_used_is_refused(words):
    words.other = nn.Embedding(3, 3)
    with pytest.raises(ExplanationError, match="looks up nothing"):
        integrated(words, CODES, target=0, embedding="other")


def test_points_of_a_line_can_be_asked_for_by_other_methods(words):
    asked = problem(words, CODES, target=1, embedding=words.words)
    line = Line.of(asked)
    everyone = torch.arange(len(line))
    codes, vectors = line.at(everyone, 1.0)
    assert codes.equal(CODES)
    assert vectors.equal(words.words(CODES))
    taken = []
    line.gradients(3, lambda at: (line.at(everyone[at], 1.0), line.rows[at]), lambda *found: taken.append(found[2]))
    gradient = taken[0][1]
    back = line.back((torch.zeros_like(codes), gradient * vectors))[0]
    torch.testing.assert_close(back, (gradient * vectors).sum(2), rtol=0, atol=1e-12)


def test_the_model_is_left_as_it_was_also_after_an_error(words):
    class Breaks(Words):
        def head(self, vectors, mask=None):
            if vectors.requires_grad:
                raise ValueError("broken")
            return super().head(vectors, mask)

    model = Breaks().double().train()
    state = torch.get_rng_state()
    with pytest.raises(Exception, match="broken"):
        integrated(model, CODES, target=1, embedding="words")
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert torch.get_rng_state().equal(state)


def test_a_recurrent_network_is_explained():
    torch.manual_seed(0)

    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.out = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 1)

        def forward(self, x):
            return self.out(self.cells(x)[0][:, -1])

    found = integrated(Sequence().double().eval(), torch.randn(4, 6, 3, dtype=torch.float64))
    assert found.values.shape == (4, 6, 3)
    assert found.details["reached"].all()
    assert found.completeness.abs().max() < 1e-4


@pytest.mark.parametrize(
    ("asked", "cure"),
    [
        ({"rule": "simpson"}, "say one of gauss, exact, midpoint"),
        ({"nodes": 1}, "a whole number from 2 on"),
        ({"nodes": 2.5}, "a whole number from 2 on"),
        ({"budget": 2}, "needs at least 3"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(asked, cure):
    with pytest.raises(ExplanationError, match=cure) as error:
        integrated(network(), rows(), **asked)
    assert "\n" not in str(error.value)


def test_gradients_that_are_not_finite_are_refused_with_their_rows():
    def root(z):
        return torch.where(z > 0, z.sqrt(), torch.zeros_like(z)).sum(1)  # its gradient is 0 · NaN below 0

    with pytest.raises(ExplanationError, match="not finite in 1 of 2 rows"):
        integrated(root, torch.tensor([[1.0, 1], [-1, 1]]), rule="gauss", tolerance=1.0)


def test_too_small_a_budget_for_expected_gradients_is_refused():
    with pytest.raises(ExplanationError, match="needs at least 4"):
        expected(network(), rows(), background=rows(7), budget=3)
    with pytest.raises(ExplanationError, match="a whole number from 4 on"):
        expected(network(), rows(), background=rows(7), samples="many")


def test_the_same_generator_draws_the_same_and_another_draws_otherwise():
    model, x, b = network(), rows(), rows(50, seed=2)
    one, two, three = (
        expected(model, x, background=b, budget=64, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert one.values.equal(two.values)
    assert one.stderr.equal(two.stderr)
    assert not one.values.equal(three.values)


@pytest.mark.parametrize(("background", "budget"), [(6, 60), (50, 100), (200, 400)])
def test_every_row_of_the_background_is_used_equally_often(background, budget):
    b, x = rows(background, seed=2), torch.zeros(2, 5, dtype=torch.float64)
    b[:, 0] = torch.arange(background)
    # ∂f/∂x₀ = 1, so −Σ b₀ over the draws tells how often each was used: all equally, and the sum is the background's
    found = expected(lambda z: z[:, 0], x, background=b, samples=budget)
    if int(found.details["samples"][0]) % background == 0:
        torch.testing.assert_close(found.values[:, 0], -b[:, 0].mean().expand(2), rtol=0, atol=1e-9)
    assert found.details["samples"].max() <= budget


def test_drawing_ends_when_standard_errors_are_small_and_says_where_they_are_not():
    x, b = rows(6), rows(40, seed=1)
    easy = expected(lambda z: z.sum(1) + 1e-3 * z[:, 0] ** 2, x + 3, background=b)
    hard = expected(lambda z: torch.tanh(9 * z[:, 0]) * torch.tanh(9 * z[:, 1]), x, background=b)
    assert easy.details["samples"].max() <= 8 * 40
    assert hard.details["samples"].max() > 1900
    assert "still above 1%" in hard.rule
    summed = easy.values.abs().sum(1, keepdim=True)
    assert (easy.stderr / summed).max() <= 0.01


def test_seconds_bound_the_drawing():
    found = expected(network(), rows(), background=rows(40, seed=1), budget="0.1s")
    assert found.cost.seconds < 2
    assert found.details["samples"].min() >= 2


def test_the_background_is_explained_for_each_rows_target():
    model, x, b = network(outputs=3), rows(), rows(8, seed=1)
    target = torch.tensor([2, 0, 2, 1])
    found = expected(model, x, background=b, target=target, samples=256)
    torch.testing.assert_close(found.baseline_output, model(b).mean(0)[target], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.output, model(x).gather(1, target[:, None])[:, 0], rtol=0, atol=1e-12)
