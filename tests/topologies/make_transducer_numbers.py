"""Writes transducer_numbers.json: losses and gradients of RNN-T by speechbrain, on log-probabilities in the file.

Its kernels are CUDA by Numba; they run here in Numba's simulator, called as its TransducerLoss calls them. Unpack its
wheel onto the path of an environment with numba and torch, and run: NUMBA_ENABLE_CUDASIM=1 python make_transducer_numbers.py
"""

import importlib.metadata
import importlib.util
import json
import platform
import sys
import types
from pathlib import Path

import numba
import numpy as np

BATCH, FRAMES, LABELS, VOCABULARY, BLANK = 4, 5, 3, 4, 0
T, U = np.array([5, 4, 2, 3]), np.array([3, 1, 2, 0])

root = next(Path(p) for p in sys.path if (Path(p) / "speechbrain/integrations/numba/transducer_loss.py").exists())
logger = types.ModuleType("speechbrain.utils.logger")  # all that the file takes from the rest of the package
logger.get_logger = __import__("logging").getLogger
sys.modules |= {
    "speechbrain": types.ModuleType("speechbrain"),
    "speechbrain.utils": types.ModuleType("utils"),
    logger.__name__: logger,
}
spec = importlib.util.spec_from_file_location("peer", root / "speechbrain/integrations/numba/transducer_loss.py")
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)

rng = np.random.default_rng(0)
logits = rng.normal(size=(BATCH, FRAMES, LABELS + 1, VOCABULARY))
log_probs = np.round(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)), 4)
labels = rng.integers(1, VOCABULARY, (BATCH, LABELS)).astype(np.int32)

lattice, locks = (BATCH, FRAMES, LABELS + 1), (BATCH, LABELS + 1)
alpha, beta, log_p, log_p_back = np.zeros(lattice), np.zeros(lattice), np.zeros(BATCH), np.zeros(BATCH)
gradient = np.zeros(log_probs.shape)
peer.cu_kernel_forward[BATCH, LABELS + 1](log_probs, labels, alpha, log_p, T, U, BLANK, np.zeros(locks, np.int32))
peer.cu_kernel_backward[BATCH, LABELS + 1](log_probs, labels, beta, log_p_back, T, U, BLANK, np.zeros(locks, np.int32))
peer.cu_kernel_compute_grad[FRAMES, BATCH](log_probs, labels, alpha, beta, gradient, T, U, BLANK)

found = {
    "versions": {
        "speechbrain": next(p.name for p in root.glob("speechbrain*.whl")).split("-")[1],
        "numba": numba.__version__, "torch": importlib.metadata.version("torch"), "python": platform.python_version(),
    },
    "frames": T.tolist(), "sizes": U.tolist(), "blank": BLANK,
    "log_probs": log_probs.tolist(), "labels": labels.tolist(),
    "log_likelihood_per_frame": log_p.tolist(), "gradient": gradient.tolist(),
}  # fmt: skip
Path(__file__).with_name("transducer_numbers.json").write_text(json.dumps(found) + "\n")
