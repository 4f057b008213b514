"""Forced alignment: the best of CTC's alignments, with the spans and scores of its labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dpsemiring import topologies
from dpsemiring.algebra.builtins import Tropical
from dpsemiring.torch.ctc_layout import between, clean_labels, gathered, read
from dpsemiring.torch.sequences import within
from dpsemiring.torch.solvers import solver_of


@dataclass(frozen=True)
class Span:
    """The frames ``start <= t < end`` of one label of a target, and the mean of their scores."""

    label: int
    place: int  # in the target
    start: int
    end: int
    score: float

    def __len__(self):
        return self.end - self.start


@dataclass(frozen=True, eq=False)
class Alignment:
    """The best alignment of each item of a batch; without the batch axis where there was none.

    Attributes
    ----------
    labels : (B, T) int64 tensor
        The class of each frame, blanks included; -1 beyond the frames of an item.
    places : (B, T) int64 tensor
        The index in the target of each frame's label; -1 for blanks and beyond.
    scores : (B, T) float tensor
        The log-probability of each frame's class, 0 beyond. Differentiable: minus its sum is the loss of training by hard
        alignment.
    starts, ends : (B, S) int64 tensor
        Frames ``starts[s] <= t < ends[s]`` have label s of the target; -1 beyond the labels of an item.

    score : (B,) float tensor
        The log-probability of the whole alignment, the sum of its scores; -inf where there is none.
    spans : list of `Span` for each item
        One for each label of its target.

    An item whose target does not fit into its frames has -1 everywhere, and scores of -inf in its frames.
    """

    labels: Tensor
    places: Tensor
    scores: Tensor
    starts: Tensor
    ends: Tensor
    score: Tensor

    @property
    def spans(self) -> list:
        """For each item a list of `Span`, one for each label of its target; for one item the list."""
        if self.labels.ndim == 1:
            return self._spans(self.labels, self.scores, self.starts, self.ends)
        return [self._spans(*item) for item in zip(self.labels, self.scores, self.starts, self.ends)]

    @staticmethod
    def _spans(labels, scores, starts, ends):
        sums = torch.nn.functional.pad(scores.detach().double().cumsum(0), (1, 0)).tolist()
        frames = enumerate(zip(starts.tolist(), ends.tolist()))
        return [Span(int(labels[a]), s, a, b, (sums[b] - sums[a]) / (b - a)) for s, (a, b) in frames if a >= 0]


def forced_align(log_probs: Tensor, targets: Tensor, input_lengths=None, target_lengths=None, blank: int = 0) -> Alignment:
    """The alignment of frames with labels that has the highest log-probability: batched, ragged, with spans and scores.

    Parameters
    ----------
    log_probs : (B, T, C) or (T, C) float tensor
        **Batch first**, as torchaudio's function of this name has it and unlike `ctc_loss`. -inf forbids a class.
    targets : (B, S) or (sum of target_lengths,) integer tensor; (S,) beside unbatched `log_probs`
        As for `ctc_loss`. Targets may be empty.
    input_lengths, target_lengths : (B,) tensor, tuple or list of int, optional
        By default T and S. What lies beyond is never read.
    blank : int
        The class of the blank.

    Returns
    -------
    Alignment
        ``.labels``, ``.places``, ``.scores`` frame by frame, ``.starts``, ``.ends`` label by label, ``.spans``.

    Raises
    ------
    TypeError, ValueError
        As `ctc_loss`.

    Notes
    -----
    A hard minimum over the topology of `ctc_loss`, `dp.topologies.ctc`. Of equally good alignments, the one is taken that,
    read from the end, stays where it is for as long as it can. No back-pointers are kept.

    Source: Graves et al., ICML 2006; Kürzinger et al., CTC-segmentation, SPECOM 2020.

    Examples
    --------
    >>> x = torch.tensor([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.2, 0.1, 0.7]]).log()
    >>> found = forced_align(x, torch.tensor([1, 2]))
    >>> found.labels.tolist(), found.places.tolist(), found.scores.exp().round(decimals=2).tolist()
    ([1, 0, 2, 2], [0, -1, 1, 1], [0.800000011920929, 0.699999988079071, 0.800000011920929, 0.699999988079071])
    >>> [(span.label, span.start, span.end) for span in found.spans]
    [(1, 0, 1), (2, 2, 4)]
    """
    if isinstance(log_probs, Tensor) and log_probs.ndim in (2, 3):
        count = 1 if log_probs.ndim == 2 else len(log_probs)
        input_lengths = [log_probs.shape[-2]] * count if input_lengths is None else input_lengths
        if target_lengths is None:
            if targets.ndim == 1 and count > 1:
                raise ValueError("targets one after the other need target_lengths")
            target_lengths = [targets.shape[-1]] * count
    batch = clean_labels(read(log_probs, targets, input_lengths, target_lengths, batch_first=True), blank)
    extended, inside = between(batch.targets, blank), within(batch.frames, batch.log_probs.shape[1])
    columns = _best_columns(batch.log_probs.detach(), extended, batch.frames, batch.sizes)
    aligned = columns >= 0
    labels = extended.gather(1, columns.clamp(min=0))
    scores = batch.log_probs.gather(2, labels[..., None])[..., 0]
    scores = torch.where(aligned, scores, torch.where(inside, -torch.inf, 0.0).to(scores.dtype))
    places = torch.where(columns % 2 == 1, columns // 2, -1)
    none = (batch.frames == 0) & (batch.sizes > 0)  # other targets that do not fit have frames of -inf
    score = torch.where(none, -torch.inf, scores.sum(1))
    found = (torch.where(aligned, labels, -1), places, scores, *_frames_of(places, batch.targets.shape[1]), score)
    return Alignment(*(found if batch.batched else (value[0] for value in found)))


def _best_columns(log_probs: Tensor, labels: Tensor, frames: Tensor, sizes: Tensor) -> Tensor:
    """(B, T): the column of the extended target in each frame; -1 beyond the frames and where no alignment exists."""
    columns = frames.new_full(log_probs.shape[:2], -1)
    some = frames > 0
    if some.any():
        solver = solver_of(Tropical, topologies.ctc)
        log_probs, labels, frames, sizes = (t if some.all() else t[some] for t in (log_probs, labels, frames, sizes))
        paths = solver(gathered(log_probs, labels), lengths=(frames, 2 * sizes + 1), params={"labels": labels}).path
        lengths = torch.zeros(len(some), dtype=torch.int64, device=some.device)
        lengths[some] = torch.tensor([len(path) for path in paths], device=some.device)
        columns[within(lengths, columns.shape[1])] = torch.cat(paths)[:, 1]
    return columns


def _frames_of(places: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(B, S) each: the first frame of each place and the one after the last; -1 for places that have none."""
    times = torch.arange(places.shape[1], device=places.device).expand_as(places)
    index = torch.where(places >= 0, places, size)  # the rest goes to a column that is left out
    starts = places.new_full((len(places), size + 1), places.shape[1]).scatter_reduce(1, index, times, "amin")[:, :size]
    ends = places.new_full((len(places), size + 1), -2).scatter_reduce(1, index, times, "amax")[:, :size] + 1
    return torch.where(ends < 0, -1, starts), ends
