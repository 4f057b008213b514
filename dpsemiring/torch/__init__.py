"""Alignments in torch: solvers on tensors are differentiable, and losses are thin declarations over them."""

from dpsemiring.torch.costs import bce, cosine, gather, nll, sqeuclidean
from dpsemiring.torch.sequences import padded
from dpsemiring.torch.solve import TensorResult

__all__ = ["TensorResult", "bce", "cosine", "gather", "nll", "padded", "sqeuclidean"]
