"""Which parts of a prompt made a causal language model go on as it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....models.inference import evaluating
from ....models.spec import Text
from ...messages import Message
from ..asking import attribute
from ..catalogue import METHODS
from ..core.chunks import Chunks
from ..core.result import Attributions
from ..errors import ExplanationError
from .tokens import words_of

LOGITS = 2**22  # numbers of the vocabulary's scores in one piece: 16 MB in float32
NEW = 20  # tokens that a model goes on by, where no continuation is given


@dataclass(frozen=True, slots=True, eq=False)
class PromptAttribution:
    """What each word of a prompt did for each token of its continuation, in log-probability.

    Attributes:
        words: of the prompt, without special tokens.
        tokens: of the continuation, as pieces.
        values: [tokens, words] float64: how much the word raised (+) or lowered (−) the log-probability of the token,
            given the prompt and the tokens before it.
        total: [words] the same for the continuation as a whole: its log-probability is the tokens' added up.
        stderr: [tokens, words] of sampling; None where nothing is sampled.
        total_stderr: [words], likewise.
        log_probabilities: [tokens] of the continuation after the prompt as it is.
        text: the continuation.
        rule: how the numbers were computed, in words.
        attributions: all that `attribute` said, one row for each token and a last one for all of them.
    """

    words: tuple[str, ...]
    tokens: tuple[str, ...]
    values: Tensor
    total: Tensor
    stderr: Tensor | None
    total_stderr: Tensor | None
    log_probabilities: Tensor
    text: str
    rule: str
    attributions: Attributions


def continuation(
    model: nn.Module,
    tokenizer: Any,
    prompt: str,
    continuation: str | Sequence[int] | Tensor | None = None,
    *,
    method: str = "feature_ablation",
    by_word: bool = True,
    instead: int | None = None,
    new_tokens: int = NEW,
    budget: int | str | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> PromptAttribution:
    """Which words of the prompt made this continuation.

    The explained numbers are the log-probabilities of the continuation's tokens. A word is taken away by putting the
    token `instead` at its places, so that the others stay where they are; special tokens are never taken away. Each
    changed prompt goes through the model once, together with the whole continuation, and many of them at a time.
    captum's `LLMAttribution` [kokhlikyan2020] asks for them one by one; where its use of past tokens is off it gives
    the same numbers, and where it is on (as it comes), other ones with transformers 5.

    Args:
        model: of Hugging Face's causal language models: model(input_ids=…, attention_mask=…).logits.
        tokenizer: the model's.
        prompt: the text before.
        continuation: the text after, with the space it begins with; or its token ids; what the model itself finds most
            probable, if None.
        method: "feature_ablation", "shapley_values", "kernel_shap", "permutation_shap" or "lime", by changed prompts;
            or "integrated_gradients" or "input_x_gradient", along the vectors of the tokens.
        by_word: pieces of a word go together; False takes each token by itself.
        instead: the id that stands for no word; the tokenizer's mask, padding, unknown or end token, if None.
        new_tokens: how many the model goes on by, where no continuation is given.
        budget: as for `attribute`.
        generator: as for `attribute`.
        **options: of the method.

    Raises:
        ExplanationError: prompt or continuation have no tokens, or the method cannot explain them.
    """
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"].to(_device(model)).long()
    words = _words(tokenizer, ids, by_word)
    if not words.texts[0]:
        raise ExplanationError(Message("prompt_empty", {}))
    with evaluating(model):
        after = _continued(model, tokenizer, ids, continuation, new_tokens)
        gradient = method in METHODS and METHODS[method].gradient
        asked = _LogProbabilities(model, after)
        rows = torch.arange(len(after) + 1, device=ids.device)
        found = attribute(
            asked if gradient else asked.of_different,
            ids.expand(len(rows), -1),
            method=method,
            target=rows,
            baselines=torch.where(
                torch.as_tensor(words.owners, device=ids.device) >= 0, _instead(tokenizer, instead), ids
            ),
            budget=budget,
            feature_groups=torch.as_tensor(words.owners[0], device=ids.device),
            generator=generator,
            embedding=model.get_input_embeddings() if gradient else None,  # type: ignore[operator]
            **options,
        )
        logs = found.output if found.output is not None else asked(ids)[0].detach().double()
    stderr = found.grouped_stderr
    return PromptAttribution(
        words=words.texts[0],
        tokens=tuple(tokenizer.decode([token]) for token in after.tolist()),
        values=found.grouped[:-1],
        total=found.grouped[-1],
        stderr=None if stderr is None else stderr[:-1],
        total_stderr=None if stderr is None else stderr[-1],
        log_probabilities=logs[:-1],
        text=tokenizer.decode(after.tolist()),
        rule=f"{found.rule}; words replaced by {tokenizer.convert_ids_to_tokens(_instead(tokenizer, instead))!r}",
        attributions=found,
    )


class _LogProbabilities(nn.Module):
    """Of the continuation's tokens after prompts [k, T]: [k, tokens + 1], the last one of all of them."""

    def __init__(self, model: nn.Module, after: Tensor) -> None:
        super().__init__()
        self.model, self.after = model, after
        self.short = "logits_to_keep" in signature(model.forward).parameters

    def forward(self, ids: Tensor) -> Tensor:
        m = len(self.after)
        whole = torch.cat([ids, self.after.expand(len(ids), -1)], 1)
        kept = {"logits_to_keep": m + 1} if self.short else {}
        out = self.model(input_ids=whole, attention_mask=torch.ones_like(whole), use_cache=False, **kept)
        logs = out.logits[:, -m - 1 : -1].log_softmax(2)
        each = logs.gather(2, self.after.expand(len(ids), -1)[..., None])[..., 0]
        return torch.cat([each, each.sum(1, keepdim=True)], 1)

    def of_different(self, ids: Tensor) -> Tensor:
        """The same without gradients, each different prompt once: one run tells all tokens' log-probabilities."""
        different, which = ids.unique(dim=0, return_inverse=True)
        tokens = len(self.after) + 1
        size = tokens * _vocabulary(self.model) + different.shape[1] ** 2
        with torch.no_grad():
            parts = Chunks(max(1, LOGITS // size)).over(len(different), lambda at: self(different[at]))
        return torch.cat(parts)[which]


def _continued(
    model: nn.Module, tokenizer: Any, ids: Tensor, asked: str | Sequence[int] | Tensor | None, new_tokens: int
) -> Tensor:
    """[tokens] the continuation."""
    if asked is None:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            whole = model.generate(  # type: ignore[operator]
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new_tokens
            )
        found = whole[0, ids.shape[1] :]
    elif isinstance(asked, str):
        found = torch.tensor(tokenizer(asked, add_special_tokens=False)["input_ids"], dtype=torch.int64)
    else:
        found = torch.as_tensor(asked, dtype=torch.int64).reshape(-1)
    if not len(found):
        raise ExplanationError(Message("continuation_empty", {}))
    return found.to(ids.device)


def _words(tokenizer: Any, ids: Tensor, by_word: bool) -> Any:
    """The words of the prompt, or its tokens."""
    if not ids.numel():
        raise ExplanationError(Message("prompt_empty", {}))
    numbers = ids.cpu().numpy()
    words = words_of(Text(tokenizer, padding=-1), numbers)
    if by_word:
        return words
    own = words.owners >= 0
    texts = tuple(tokenizer.decode([token]) for token in numbers[own].tolist())
    return replace(words, texts=(texts,), owners=np.where(own, np.cumsum(own, 1) - 1, -1))


def _instead(tokenizer: Any, asked: int | None) -> int:
    names = ("mask_token_id", "pad_token_id", "unk_token_id", "eos_token_id")
    for found in (asked, *(getattr(tokenizer, name, None) for name in names)):
        if found is not None:
            return int(found)
    raise ExplanationError(Message("no_silent_token", {}))


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def _vocabulary(model: nn.Module) -> int:
    return int(model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
