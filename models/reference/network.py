"""The network for rows of named columns: numbers and codes in, one logit out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDEST = 8  # dimensions of an embedding


class TabularNetwork(nn.Module):
    """An embedding for each categorical column beside the numbers and their asinh, then layers with GELU and dropout.

    The asinh tames long tails, as of capital gains, which standardising leaves long.
    """

    def __init__(self, numbers: int, sizes: tuple[int, ...], hidden: tuple[int, ...] = (128, 64), dropout: float = 0.2):
        """
        Args:
            numbers: how many numeric columns.
            sizes: the number of levels of each categorical column.
            hidden: the widths of the hidden layers.
            dropout: the share of activations that training leaves out.
        """
        super().__init__()
        embeddings = [nn.Embedding(size, min(WIDEST, (size + 1) // 2)) for size in sizes]
        for embedding in embeddings:
            nn.init.normal_(embedding.weight, std=0.3)
        self.embeddings = nn.ModuleList(embeddings)
        width = 2 * numbers + sum(embedding.embedding_dim for embedding in embeddings)
        layers: list[nn.Module] = []
        for out in hidden:
            layers += [nn.Linear(width, out), nn.GELU(), nn.Dropout(dropout)]
            width = out
        self.body = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """numbers [n, columns] float32, codes [n, columns] int64 -> [n] logits."""
        vectors = [embedding(codes[:, k]) for k, embedding in enumerate(self.embeddings)]
        return self.body(torch.cat([numbers, torch.asinh(numbers), *vectors], dim=1)).squeeze(1)
