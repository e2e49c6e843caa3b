"""Attention rollout against products of attention matrices that are written out, and transformers' own weights."""

from typing import Any

import pytest
import torch
from gnomon.audit.explain import attribute as _attribute
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

transformers = pytest.importorskip("transformers")


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12, 8)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True), 3)
        self.head = nn.Linear(8, 3)

    def forward(self, codes):
        return self.head(self.layers(self.words(codes), src_key_padding_mask=codes == 0)[:, 0])


def rolled(layers):
    """Π (½ Ā + ½ I) of layers [n, heads, T, T]."""
    through = torch.eye(layers[0].shape[-1], dtype=torch.float64)
    for weights in layers:
        through = (weights.double().mean(1) + torch.eye(weights.shape[-1])) / 2 @ through
    return through


def by_hand(layer, x, padding):
    """The attention of an encoder layer, from its projections: softmax(q kᵀ / √d), [n, heads, T, T]; and its output."""
    attention = layer.self_attn
    q, k, _ = (x @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, -1)
    q, k = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (q, k))
    scores = (q @ k.transpose(-1, -2) / 2).masked_fill(padding[:, None, None], -torch.inf)
    return scores.softmax(-1), layer(x, src_key_padding_mask=padding)


@pytest.mark.parametrize("position", [None, 2, -1])
def test_rollout_of_a_transformer_encoder_is_the_product_of_its_attention_matrices(position):
    torch.manual_seed(0)
    model, codes = Encoder().eval(), torch.tensor([[3, 4, 5, 6, 7], [1, 2, 9, 0, 0]])
    layers, x = [], model.words(codes)
    for layer in model.layers.layers:
        weights, x = by_hand(layer, x, codes == 0)
        layers.append(weights.detach())
    asked = {} if position is None else {"position": position}
    found = attribute(model, codes, method="attention_rollout", target=0, **asked)
    torch.testing.assert_close(found.values, rolled(layers)[:, position or 0], atol=1e-6, rtol=1e-5)
    assert float(found.values[1, 3]) == 0  # nobody looks at padding
    assert "no evidence" in found.rule


def causal(name):
    if name == "gpt2":
        config = transformers.GPT2Config(vocab_size=24, n_positions=16, n_embd=16, n_layer=2, n_head=2)
        return transformers.GPT2LMHeadModel(config).eval()
    config = transformers.LlamaConfig(
        vocab_size=24, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_rollout_of_a_causal_model_is_what_its_last_token_sees(name):
    torch.manual_seed(0)
    model, codes = causal(name), torch.tensor([[3, 4, 5, 6, 7], [1, 2, 9, 11, 0]])
    found = attribute(model, codes, method="attention_rollout", target=lambda logits: logits[:, -1, 3])
    assert model.config._attn_implementation == "sdpa"
    model.set_attn_implementation("eager")
    layers = model(codes, output_attentions=True).attentions
    torch.testing.assert_close(found.values, rolled(layers)[:, -1].detach(), atol=1e-6, rtol=1e-5)


def test_rollout_of_a_vision_transformer_lies_on_its_patches():
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4
    )
    model, pictures = transformers.ViTForImageClassification(config).eval(), torch.randn(2, 3, 8, 8)
    found = attribute(model, pictures, method="attention_rollout", target=0)
    model.set_attn_implementation("eager")
    shares = rolled(model(pictures, output_attentions=True).attentions)[:, 0, 1:].detach()
    patches = found.values.unfold(2, 4, 4).unfold(3, 4, 4).sum((1, 4, 5)).flatten(1)
    torch.testing.assert_close(patches, shares, atol=1e-6, rtol=1e-5)


def test_vectors_share_a_tokens_attention_evenly():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)[:, 0, 0]

    x = torch.randn(2, 5, 8)
    found = attribute(Model(), x, method="attention_rollout")
    assert torch.equal(found.values, found.values[..., :1].expand(-1, -1, 8))
    weights, _ = by_hand(layer, x, torch.zeros(2, 5, dtype=torch.bool))
    torch.testing.assert_close(found.values.sum(2), rolled([weights.detach()])[:, 0], atol=1e-6, rtol=1e-5)
