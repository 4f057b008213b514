"""Golden files, and what happens to tests that need a compiler which is not there."""

import difflib
import gc
import os
import re
from pathlib import Path

import pytest
from gpus import missing_gpu

from dpsemiring.testing.emulation import missing_compiler, missing_cuda_compiler

# compiling makes millions of small objects that live on; looking through them again and again takes a fifth of the time
gc.set_threshold(100_000, 50, 50)

GOLDEN = Path(__file__).parent / "golden"

# marker -> why its tests cannot run here, or None
NEEDS = {"emulation": missing_compiler, "nvidia": missing_cuda_compiler}


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew in place of comparing with them")
    parser.addoption("--full-product", action="store_true", help="tests/proof, tests/cuda: every combination in place of a cover")


def pytest_runtest_setup(item):
    """Tests without a GPU or their compiler are skipped; without a compiler, with DPSEMIRING_REQUIRE_CUDA_TESTS=1, they fail."""
    if item.get_closest_marker("gpu") and (reason := missing_gpu()):
        pytest.skip(reason)
    for marker, missing in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            if os.environ.get("DPSEMIRING_REQUIRE_CUDA_TESTS") == "1":
                pytest.fail(f"{reason}, and DPSEMIRING_REQUIRE_CUDA_TESTS=1 asks for this test", pytrace=False)
            pytest.skip(reason)


@pytest.fixture
def golden(request):
    """Call `golden(name, text)`: passes if the text is that of tests/golden/<name>."""

    def check(name, text):
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        test = re.sub(r"\[.*", "", request.node.nodeid)
        mend = f"if that is meant, run: pytest {test} --update-golden"
        if not path.exists():
            pytest.fail(f"there is no golden file {name}; {mend}", pytrace=False)
        kept = path.read_text(encoding="utf-8")
        if kept != text:
            lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), f"golden/{name}", "emitted now", lineterm="")
            pytest.fail("\n".join([*lines, "", f"the text of {name} has changed; {mend}"]), pytrace=False)

    return check
