"""Laws of gradients, ablation, attention, influence, concepts and prompts; and what they refuse."""

import os
from typing import Any

import pytest
import torch
from gnomon.audit.explain import ExplanationError, concepts, continuation, influence
from gnomon.audit.explain import attribute as _attribute
from gnomon.audit.explain.core.chunks import Chunks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

DOUBLE: Any = {"dtype": torch.float64}
PERTURBING = ["feature_ablation", "occlusion", "feature_permutation"]
ALONE = ["saliency", "input_x_gradient", "feature_ablation", "occlusion"]
EVERY = ["saliency", "input_x_gradient", "smooth_grad", *PERTURBING]
seeds = st.integers(0, 10_000)


def network(seed, width=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(width, 8), nn.GELU(), nn.Linear(8, 1)).double().eval()


def rows(seed, n=5, width=4):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), **DOUBLE)


def same(one, other, atol=1e-10):
    torch.testing.assert_close(one, other, atol=atol, rtol=1e-9)


@pytest.mark.parametrize("method", EVERY)
@settings(max_examples=8)
@given(seed=seeds)
def test_a_feature_that_the_model_ignores_gets_nothing(method, seed):
    model = network(seed, 3)
    options = {"window": 1, "stride": 1} if method == "occlusion" else {}
    found = attribute(lambda x: model(x[:, :3]), rows(seed), method=method, **options)
    assert float(found.values[:, 3].abs().max()) < 1e-12


@pytest.mark.parametrize("method", EVERY)
@settings(max_examples=8)
@given(seed=seeds)
def test_what_explains_a_sum_of_models_is_the_sum_of_what_explains_each(method, seed):
    one, other, x = network(seed), network(seed + 1), rows(seed)
    parts = [attribute(f, x, method=method).values for f in (one, other, lambda x: 2 * one(x) - other(x))]
    same(2 * parts[0] - parts[1], parts[2])


@pytest.mark.parametrize("method", ALONE)
@settings(max_examples=8)
@given(seed=seeds)
def test_a_row_alone_is_explained_as_among_others(method, seed):
    model, x = network(seed), rows(seed)
    whole = attribute(model, x, method=method).values
    for i in range(len(x)):
        same(attribute(model, x[i : i + 1], method=method).values, whole[i : i + 1])


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("most", [1, 3, 7])
def test_the_size_of_the_pieces_changes_nothing(method, most, monkeypatch):
    model, x = network(0), rows(0)
    groups = torch.tensor([0, 1, 1, 0])
    whole = attribute(model, x, method=method, feature_groups=groups)
    monkeypatch.setattr(Chunks, "of", classmethod(lambda cls, inputs: cls(most)))
    pieces = attribute(model, x, method=method, feature_groups=groups)
    same(whole.values, pieces.values, 1e-12)
    same(whole.grouped, pieces.grouped, 1e-12)


@pytest.mark.parametrize("method", ["smooth_grad", "feature_permutation"])
def test_the_same_generator_gives_the_same_bits(method):
    model, x = network(0), rows(0)
    found = [attribute(model, x, method=method, generator=torch.Generator().manual_seed(k)) for k in (1, 1, 2)]
    assert torch.equal(found[0].values, found[1].values)
    assert torch.equal(found[0].stderr, found[1].stderr)
    assert not torch.equal(found[0].values, found[2].values)


@pytest.mark.parametrize("method", EVERY)
def test_several_inputs_are_explained_together_in_the_form_they_came_in(method):
    whole = network(0)
    a, b = rows(1, width=3), rows(2, width=1)
    options = {"window": ((1,), (1,)), "stride": ((1,), (1,))} if method == "occlusion" else {}
    alone = {"window": 1, "stride": 1} if method == "occlusion" else {}
    one = attribute(whole, torch.cat([a, b], 1), method=method, **alone)
    two = attribute(lambda a, b: whole(torch.cat([a, b], 1)), (a, b), method=method, **options)
    named = attribute(lambda *, b, a: whole(torch.cat([a, b], 1)), {"a": a, "b": b}, method=method, **options)
    if method != "smooth_grad":  # whose noise goes by each input's range
        same(torch.cat(two.values, 1), one.values)
    assert torch.equal(named.values["a"], two.values[0])
    assert torch.equal(named.values["b"], two.values[1])


@pytest.mark.parametrize("method", PERTURBING)
def test_integers_beside_numbers_are_taken_away_like_these(method):
    table = torch.tensor([0.0, 1.0, 5.0, -2.0], **DOUBLE)

    def model(codes, x):
        assert not codes.is_floating_point()
        return table[codes].sum(1) * 2 + x[:, 0]

    codes, x = torch.tensor([[1, 2], [3, 0], [2, 2]]), rows(0, 3, 1)
    options = {"window": ((1,), (1,)), "stride": ((1,), (1,))} if method == "occlusion" else {}
    found = attribute(model, (codes, x), method=method, **options)
    if method == "feature_permutation":
        assert found.stderr[0].shape == codes.shape
    else:
        same(found.values[0], 2 * table[codes])
        same(found.values[1], x)


def test_a_group_goes_with_all_its_places_also_across_inputs():
    def model(a, b):
        return a[:, 0] * b[:, 0] + a[:, 1]

    a, b = rows(0, 4, 2), rows(1, 4, 1)
    found = attribute(
        model, (a, b), method="feature_ablation", feature_groups=(torch.tensor([0, -1]), torch.tensor([0]))
    )
    same(found.grouped, a[:, :1] * b)
    assert float(found.values[0][:, 1].abs().max()) == 0


@pytest.mark.parametrize(("method", "budget", "spent"), [("smooth_grad", 9, 8), ("feature_permutation", 17, 17)])
def test_a_budget_of_evaluations_is_kept(method, budget, spent):
    found = attribute(network(0), rows(0), method=method, budget=budget)
    assert found.cost.evaluations == 5 * spent


@pytest.mark.parametrize("method", ["smooth_grad", "feature_permutation"])
def test_a_budget_too_small_says_what_is_needed(method):
    with pytest.raises(ExplanationError, match=r"a budget of 3 evaluations a row is too small.*at least [49]"):
        attribute(network(0), rows(0), method=method, budget=3)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"method": "feature_permutation", "inputs": rows(0, 1)}, "give two or more"),
        ({"method": "occlusion", "window": (2, 2)}, "window .* does not fit"),
        ({"method": "occlusion", "window": 0}, "window 0 does not fit"),
        ({"method": "occlusion", "stride": 1.5}, "stride 1.5 does not fit"),
        ({"method": "smooth_grad", "noise": -1.0}, "noise"),
        ({"method": "smooth_grad", "samples": "many"}, "samples"),
        ({"method": "feature_permutation", "samples": 0}, "samples"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(asked, says):
    asked = {"inputs": rows(0), **asked}
    with pytest.raises(ExplanationError, match=says) as caught:
        attribute(network(0), asked.pop("inputs"), **asked)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "smooth_grad"])
def test_codes_without_an_embedding_have_no_gradient(method):
    with pytest.raises(ExplanationError, match="integers"):
        attribute(Attending().eval(), CODES, method=method)


def test_codes_are_followed_beside_masks_and_numbers():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(9, 3).double()

        def forward(self, codes, mask, x):
            return (self.words(codes) * mask[..., None]).sum((1, 2)).tanh() + x[:, 0] ** 2

    torch.manual_seed(0)
    model, mask, x = Model(), torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]), rows(0, 2, 1)
    for embedding in (model.words, "auto"):
        codes, none, numbers = attribute(model, (CODES, mask, x), method="saliency", embedding=embedding).values
        assert float(none.abs().max()) == 0
        assert float(codes[0, 3]) == 0
        assert float(codes[1].min()) > 0
        same(numbers, 2 * x)


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)

    def forward(self, codes):
        return self.layers(self.words(codes))[:, 0, 0]


CODES = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize(
    ("model", "inputs", "options", "says"),
    [
        (network(0), rows(0), {}, "no layer showed self-attention"),
        (Attending().eval(), CODES, {"position": 4}, "position 4 is not among the 4 tokens"),
        (Attending().eval(), CODES, {"position": 0.5}, "position 0.5"),
    ],
)
def test_attention_rollout_refuses_what_it_cannot_see(model, inputs, options, says):
    with pytest.raises(ExplanationError, match=says):
        attribute(model, inputs, method="attention_rollout", **options)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("position", [0, 99])
def test_attention_rollout_leaves_model_and_switches_as_they_were(fast, position):
    model = Attending().eval()
    before = [(dict(part.__dict__), len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()]
    was = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(fast)
        try:
            attribute(model, CODES, method="attention_rollout", position=position)
        except ExplanationError:
            assert position == 99
        assert torch.backends.mha.get_fastpath_enabled() is fast
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
    after = [(dict(part.__dict__), len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()]
    assert [a[1:] for a in after] == [b[1:] for b in before]
    assert all(a[0].keys() == b[0].keys() for a, b in zip(after, before, strict=True))


def test_attention_rollout_takes_a_position_for_each_row():
    model = Attending().eval()
    each = [attribute(model, CODES, method="attention_rollout", position=k).values for k in range(4)]
    found = attribute(model, CODES, method="attention_rollout", position=torch.tensor([3, 1])).values
    assert torch.equal(found, torch.stack([each[3][0], each[1][1]]))


def trained():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))


def labels(n):
    return torch.arange(n) % 3


def traced(model, **changes):
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    asked = {
        "checkpoints": [model.state_dict()], "train_inputs": x, "train_targets": labels(9), "inputs": x[:2],
        "targets": labels(2), "loss": nn.functional.cross_entropy, **changes,
    }  # fmt: skip
    return influence(model, asked.pop("checkpoints"), *(asked.pop(k) for k in list(asked)[:4]), **asked)


def test_influence_of_a_row_on_itself_helps_it():
    found = traced(trained(), top=3)
    assert bool((found.scores[0, 0], found.scores[1, 1]) > (torch.tensor(0.0), torch.tensor(0.0)))
    same(found.scores.diagonal(), found.self_influence[:2], 1e-5)
    assert found.helped.shape == (2, 3)
    assert found.checkpoints == 1


def test_influence_leaves_the_model_as_it_was():
    model = trained()
    model[0].weight.grad = torch.ones(8, 4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    traced(model, checkpoints=[{k: v + 1 for k, v in model.state_dict().items()}])
    assert model.training
    assert torch.equal(model[0].weight.grad, torch.ones(8, 4))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_influence_takes_inputs_by_keyword():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = trained()

        def forward(self, *, b, a):
            return self.inner(torch.cat([a, b], 1))

    model, x = Two(), torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    split = {"a": x[:, :1], "b": x[:, 1:]}
    some = {name: value[:2] for name, value in split.items()}
    same(traced(model, train_inputs=split, inputs=some).scores, traced(model.inner).scores, 1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"checkpoints": []}, "no checkpoint"),
        ({"rates": [0.1, 0.2]}, "2 learning rates"),
        ({"checkpoints": [{}]}, "a checkpoint lacks 4 of the model's parameters, '0.weight' first"),
        ({"parameters": ["head."]}, "no parameter's name begins with"),
        ({"train_targets": labels(8)}, "9 rows and 8 targets"),
        ({"top": 0}, "top"),
        ({"inputs": torch.full((2, 4), float("nan"))}, "not finite in 2 of 2 rows"),
    ],
)
def test_influence_refuses_what_does_not_fit(changes, says):
    with pytest.raises(ExplanationError, match=says):
        traced(trained(), **changes)


def probed(model, **changes):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 4, generator=generator)
    asked = {"inputs": x[:10], "concept_examples": {"high": x[:6] + 2}, "random_examples": x, "layer": "0", **changes}
    given = [asked.pop(name) for name in ("inputs", "concept_examples", "random_examples")]
    return concepts(model, *given, target=1, sets=2, **asked)


def test_concepts_leave_the_model_and_the_folder_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, state = trained(), torch.get_rng_state()
    one, other = probed(model), probed(model)
    assert one == other  # the same generator, the same numbers
    assert model.training
    assert not any(part._forward_hooks for part in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layer": "9"}, "layer '9' is no module of the model"),
        ({"concept_examples": {"few": torch.zeros(2, 4)}}, "concept 'few' has 2 examples"),
        ({"random_examples": torch.zeros(5, 4)}, "5 random examples are too few"),
        ({"concept_examples": {"bad": torch.full((6, 4), float("nan"))}}, "concept bad is not finite"),
    ],
)
def test_concepts_refuse_what_does_not_fit(changes, says):
    with pytest.raises(ExplanationError, match=says):
        probed(trained(), **changes)


@pytest.fixture(scope="module")
def language():
    """A language model with a tokenizer whose words have pieces."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    known = ["<pad>", "<s>", "[UNK]", "un", "##kind", "cat", "sat", "##s", "dog", "ran"]
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece({w: k for k, w in enumerate(known)}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.decoder = tokenizers.decoders.WordPiece()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", unk_token="[UNK]"
    )
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=10, n_positions=32, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=0
    )
    return transformers.GPT2LMHeadModel(config).train(), tokenizer


def test_pieces_of_a_word_go_together(language):
    model, tokenizer = language
    found = continuation(model, tokenizer, "unkind cats ran", "dog sat")
    assert found.words == ("unkind", "cats", "ran")
    assert found.tokens == ("dog", "sat")
    assert found.values.shape == (2, 3)
    assert found.total.shape == (3,)
    same(found.values.sum(0), found.total, 1e-5)
    apart = continuation(model, tokenizer, "unkind cats ran", "dog sat", by_word=False)
    assert len(apart.words) == 5
    assert apart.stderr is None
    assert model.training


def test_sampled_values_of_a_prompt_have_standard_errors(language):
    model, tokenizer = language
    found = continuation(model, tokenizer, "unkind cats ran", "dog", method="permutation_shap", budget=40)
    assert found.stderr.shape == (1, 3)
    assert found.total_stderr.shape == (3,)


def test_a_model_goes_on_by_itself_where_no_continuation_is_given(language):
    model, tokenizer = language
    state = torch.get_rng_state()
    found = continuation(model, tokenizer, "unkind cats", new_tokens=3)
    assert 1 <= len(found.tokens) <= 3
    assert torch.equal(torch.get_rng_state(), state)
    ids = tokenizer("unkind cats", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        model.eval()
        assert tokenizer.decode([int(model(ids).logits[0, -1].argmax())]) == found.tokens[0]
        model.train()


@pytest.mark.parametrize(
    ("prompt", "after", "method", "says"),
    [
        ("", "dog", "feature_ablation", "the prompt has no words"),
        ("cats", "", "feature_ablation", "the continuation has no tokens"),
        ("cats", "dog", "guesswork", "method 'guesswork' is not known"),
        ("cats", "dog", "smooth_grad", "smooth_grad"),
    ],
)
def test_a_prompt_that_cannot_be_explained_is_refused(language, prompt, after, method, says):
    with pytest.raises(ExplanationError, match=says):
        continuation(*language, prompt, after, method=method)
    assert language[0].training
