"""Alignments in torch: solvers on tensors are differentiable, and losses are thin declarations over them."""

from dpsemiring.torch.solve import TensorResult

__all__ = ["TensorResult"]
