"""Writes elastic_numbers.json: distances by aeon, on the series in the file.

aeon pins an old numba, so it is not a test dependency. Unpack its wheel onto the path of an environment that has its
other requirements, and run: NUMBA_DISABLE_JIT=1 python make_elastic_numbers.py
"""

import json
import platform
from pathlib import Path

import aeon
import numpy as np
from aeon import distances

LENGTHS = [(8, 8), (9, 6), (5, 10), (1, 4)]
CALLS = [
    ("wdtw", {"g": 0.05}), ("wdtw", {"g": 0.6}), ("erp", {"g": 0.0}), ("erp", {"g": 0.5}), ("edr", {"epsilon": 0.4}),
    ("lcss", {"epsilon": 0.4}), ("msm", {"c": 1.0}), ("msm", {"c": 0.1}), ("twe", {"nu": 0.001, "lmbda": 1.0}),
    ("twe", {"nu": 0.2, "lmbda": 0.1}),
]  # fmt: skip

rng = np.random.default_rng(0)
series = [[np.round(np.cumsum(rng.normal(size=n)) / 2, 3) for n in pair] for pair in LENGTHS]
numbers = [
    {
        "measure": name,
        "options": options,
        "values": [float(getattr(distances, f"{name}_distance")(x, y, **options)) for x, y in series],
    }
    for name, options in CALLS
]
found = {
    "versions": {"aeon": aeon.__version__, "numpy": np.__version__, "python": platform.python_version()},
    "series": [[v.tolist() for v in pair] for pair in series],
    "distances": numbers,
}
Path(__file__).with_name("elastic_numbers.json").write_text(json.dumps(found, indent=1) + "\n")
