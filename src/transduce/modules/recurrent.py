"""Recurrent layers over padded batches: one direction, two directions, a stack.

Every sentence's result is independent of its padding and its neighbours. A layer that
reads forwards meets padding only after the sentence; for one that reads
backwards each sentence is turned round by its own length. So whole padded batches go
through the fused kernels, which is as fast as packing them and needs no sorting.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from transduce.kernels.lstm import has_native_lstm, lstm
from transduce.modules.dropout import Dropout

__all__ = [
    "RecurrentEncoderLayer",
    "RecurrentKind",
    "RecurrentLayer",
    "RecurrentStack",
    "States",
]

RecurrentKind = Literal["rnn", "lstm", "gru"]

# (hidden,) or, for an LSTM, (hidden, cell).
States = tuple[Tensor, ...]


class RecurrentLayer(nn.Module):
    """One layer, one direction.

    ``rnn`` (Elman 1990): ``h_t = tanh(W x_t + U h_{t−1} + b)``.

    ``lstm`` (Hochreiter & Schmidhuber 1997, forget gate of Gers et al. 2000):
    ``i, f, o = σ(W x_t + U h_{t−1} + b)``, ``g = tanh(W_g x_t + U_g h_{t−1} + b_g)``,
    ``c_t = f c_{t−1} + i g``, ``h_t = o tanh(c_t)``.

    ``gru`` (Cho et al. 2014, with the reset gate after the product, as in cuDNN):
    ``r, z = σ(W x_t + U h_{t−1} + b)``, ``n = tanh(W_n x_t + b_n + r (U_n h_{t−1} + b'_n))``,
    ``h_t = (1 − z) n + z h_{t−1}``.

    First weights: Glorot uniform for the input, orthogonal for each recurrent matrix
    (Saxe et al. 2014), zero biases, one for the forget gate (Jozefowicz et al. 2015).
    """

    def __init__(self, input_width: int, *, kind: RecurrentKind, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.width = width
        self.kernel: nn.RNNBase
        match kind:
            case "rnn":
                self.kernel = nn.RNN(input_width, width, batch_first=True)
            case "lstm":
                self.kernel = nn.LSTM(input_width, width, batch_first=True)
            case "gru":
                self.kernel = nn.GRU(input_width, width, batch_first=True)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the first weights."""
        for name, parameter in self.kernel.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
                continue
            for gate in parameter.view(-1, self.width, parameter.shape[1]):  # [gates, D, E]
                draw = nn.init.xavier_uniform_ if "ih" in name else nn.init.orthogonal_
                draw(gate)
        if self.kind == "lstm":
            self.kernel.get_parameter("bias_ih_l0")[self.width : 2 * self.width] = 1.0

    def initial(self, vectors: Tensor) -> States:
        """Zero states ``[B, D]`` for vectors ``[B, T, E]``."""
        zero = vectors.new_zeros(vectors.shape[0], self.width)
        return (zero, zero) if self.kind == "lstm" else (zero,)

    def forward(self, vectors: Tensor, states: States) -> tuple[Tensor, States]:
        """Vectors ``[B, T, E]`` and states ``[B, D]`` to hidden states ``[B, T, D]`` and states."""
        if vectors.shape[1] == 1:
            return self._one_step(vectors[:, 0], states)
        weights = self.kernel.all_weights[0]
        if self.kind == "lstm" and torch.is_grad_enabled() and has_native_lstm(vectors, weights):
            outputs, hidden, cell = lstm(vectors, states[0], states[1], weights)
            return outputs, (hidden, cell)
        first = tuple(state.contiguous()[None] for state in states)  # cuDNN asks for it
        if self.kind == "lstm":
            return self._fused_lstm(vectors, first)
        outputs, last = self.kernel(vectors, first[0])
        return outputs, (last[0],)

    def _fused_lstm(self, vectors: Tensor, first: States) -> tuple[Tensor, States]:
        number = torch.get_autocast_dtype("cpu")
        unknown = (
            vectors.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and not _autocasts_lstm(number)
        )
        if unknown:  # in the numbers of the weights
            stored = self.kernel.all_weights[0][0].dtype
            vectors, first = vectors.to(stored), tuple(state.to(stored) for state in first)
        with torch.autocast("cpu", enabled=False) if unknown else nullcontext():
            outputs, last = self.kernel(vectors, first)
        return outputs, (last[0][0], last[1][0])

    def _one_step(self, vectors: Tensor, states: States) -> tuple[Tensor, States]:
        # A kernel for sequences would prepare its weights anew at every token.
        weights = self.kernel.all_weights[0]
        match self.kind:
            case "rnn":
                states = (torch.rnn_tanh_cell(vectors, states[0], *weights),)
            case "lstm":
                states = torch.lstm_cell(vectors, states, *weights)
            case "gru":
                states = (torch.gru_cell(vectors, states[0], *weights),)
        return states[0][:, None], states


@cache
def _autocasts_lstm(number: torch.dtype) -> bool:
    """Whether torch's LSTM runs under autocast to ``number`` on this processor.

    It hands that to oneDNN, which has no such LSTM for processors without instructions for the
    number, and asks nobody first; so one is tried.
    """
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", number),
        ):
            layer, vectors = nn.LSTM(1, 1), torch.zeros(2, 1, 1)
            layer(vectors)[0].sum().backward()
    except RuntimeError:
        return False
    return True


class RecurrentStack(nn.Module):
    """Layers in one direction, dropout between them: the body of a decoder.

    States are ``[N, L, D]``, so that their first dimension counts rows.
    """

    def __init__(
        self, input_width: int, *, kind: RecurrentKind, width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            RecurrentLayer(input_width if layer == 0 else width, kind=kind, width=width)
            for layer in range(layers)
        )
        self.dropout = Dropout(dropout)

    def forward(self, vectors: Tensor, states: States) -> tuple[Tensor, States]:
        """``[N, T, E]`` to ``[N, T, D]`` and the states after the last step."""
        after: list[States] = []
        for number, layer in enumerate(self.layers):
            if number:
                vectors = self.dropout(vectors)
            vectors, last = layer(vectors, tuple(state[:, number] for state in states))
            after.append(last)
        return vectors, tuple(torch.stack(layers, dim=1) for layers in zip(*after, strict=True))


class RecurrentEncoderLayer(nn.Module):
    """One layer of an encoder, in one or both directions.

    ``width`` is that of the output; with two directions each has half of it
    (Schuster & Paliwal 1997).
    """

    def __init__(
        self, input_width: int, *, kind: RecurrentKind, width: int, bidirectional: bool
    ) -> None:
        super().__init__()
        inner = width // 2 if bidirectional else width
        self.ahead = RecurrentLayer(input_width, kind=kind, width=inner)
        self.back = RecurrentLayer(input_width, kind=kind, width=inner) if bidirectional else None

    def forward(self, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors ``[B, S, E]``, lengths int64 ``[B]`` to outputs ``[B, S, D]`` and last states.

        The last states ``[B, D]`` are those after the last real position and, for the backward
        direction, after the first. Outputs at padded positions mean nothing.
        """
        rows = torch.arange(len(lengths), device=lengths.device)
        ahead, _ = self.ahead(vectors, self.ahead.initial(vectors))
        if self.back is None:
            return ahead, ahead[rows, lengths - 1]
        order = _reversal(lengths, vectors.shape[1])
        back, _ = self.back(_reordered(vectors, order), self.back.initial(vectors))
        outputs = torch.cat([ahead, _reordered(back, order)], dim=-1)
        last = torch.cat([ahead[rows, lengths - 1], back[rows, lengths - 1]], dim=-1)
        return outputs, last


def _reversal(lengths: Tensor, longest: int) -> Tensor:
    """Where each position's vector comes from, counted over the whole batch, int64 ``[B·S]``."""
    positions = torch.arange(longest, device=lengths.device)
    mirrored = lengths[:, None] - 1 - positions
    within = torch.where(mirrored >= 0, mirrored, positions)
    first = torch.arange(len(lengths), device=lengths.device)[:, None] * longest
    return (within + first).flatten()  # [B, S] → [B·S]


def _reordered(vectors: Tensor, order: Tensor) -> Tensor:
    # One flat index: on a CPU its gradient takes half the time of a pair's or a gather's.
    # [B, S, …] → [B·S, …] → [B, S, …]
    return vectors.flatten(0, 1).index_select(0, order).view(vectors.shape)
