"""What a prompt's words did for a continuation, against log-probabilities computed one by one, and captum."""

from itertools import permutations

import pytest
import torch
from gnomon.audit.explain import continuation

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

PROMPT, AFTER = "the cat sat on it", "and then"
UNKNOWN = 3


def tokenizer():
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "then", "it", "slept"]
    known = {word: k for k, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *words])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def model(name):
    torch.manual_seed(0)
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    if name == "gpt2":
        config = transformers.GPT2Config(vocab_size=14, n_positions=32, n_embd=16, n_layer=2, n_head=2, **special)
        return transformers.GPT2LMHeadModel(config).double().eval()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=14, **sizes, **special)).double().eval()


def log_probabilities(of, prompt, after):
    """[tokens] one token after the other, each by a run of its own."""
    found = []
    for token in after:
        with torch.no_grad():
            found.append(of(torch.tensor([prompt])).logits[0, -1].log_softmax(0)[token])
        prompt = [*prompt, token]
    return torch.stack(found)


def without(prompt, places):
    return [UNKNOWN if k in places else token for k, token in enumerate(prompt)]


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_feature_ablation_is_the_log_probability_that_each_word_gave(name):
    of, tokens = model(name), tokenizer()
    found = continuation(of, tokens, PROMPT, AFTER, instead=UNKNOWN)
    prompt, after = tokens(PROMPT)["input_ids"], tokens(AFTER, add_special_tokens=False)["input_ids"]
    whole = log_probabilities(of, prompt, after)
    expected = torch.stack([whole - log_probabilities(of, without(prompt, {k}), after) for k in range(1, 6)], 1)
    torch.testing.assert_close(found.values, expected, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(found.total, expected.sum(0), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(found.log_probabilities, whole, atol=1e-10, rtol=1e-10)
    assert found.words == ("the", "cat", "sat", "on", "it")
    assert found.tokens == ("and", "then")


def test_shapley_values_are_the_mean_over_all_orders_in_which_words_appear():
    of, tokens = model("llama"), tokenizer()
    found = continuation(of, tokens, "the cat sat", AFTER, method="shapley_values", instead=UNKNOWN)
    prompt, after = tokens("the cat sat")["input_ids"], tokens(AFTER, add_special_tokens=False)["input_ids"]
    expected = torch.zeros(2, 3, dtype=torch.float64)
    for order in permutations(range(1, 4)):
        gone = {1, 2, 3}
        for place in order:
            before = log_probabilities(of, without(prompt, gone), after)
            gone = gone - {place}
            expected[:, place - 1] += (log_probabilities(of, without(prompt, gone), after) - before) / 6
    torch.testing.assert_close(found.values, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_it_is_captums_where_captum_does_not_use_its_cache(name):
    from captum.attr import (
        FeatureAblation,
        LayerIntegratedGradients,
        LLMAttribution,
        LLMGradientAttribution,
        TextTokenInput,
    )

    of, tokens = model(name).float(), tokenizer()
    given = TextTokenInput(PROMPT, tokens, baselines=UNKNOWN, skip_tokens=[1])
    theirs = LLMAttribution(FeatureAblation(of), tokens).attribute(given, target=AFTER, use_cached_outputs=False)
    found = continuation(of, tokens, PROMPT, AFTER, instead=UNKNOWN)
    torch.testing.assert_close(found.values.float(), theirs.token_attr, atol=1e-5, rtol=1e-4)

    paths = LLMGradientAttribution(LayerIntegratedGradients(of, of.get_input_embeddings()), tokens)
    theirs = paths.attribute(given, target=AFTER, n_steps=64)
    found = continuation(of, tokens, PROMPT, AFTER, method="integrated_gradients", instead=UNKNOWN)
    torch.testing.assert_close(found.values.float(), theirs.token_attr, atol=2e-4, rtol=1e-2)
