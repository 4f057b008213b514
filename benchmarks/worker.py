"""The process of one way: ``python -m benchmarks.worker ADDRESS MODULE WORK WAY QUICK``, started by `benchmarks.timing`.

It sends what it needed to start and what it found, then seconds a call for as long as numbers of calls come in.
"""

from __future__ import annotations

import gc
import sys
import time
import traceback
from multiprocessing.connection import Client

from benchmarks.work import digest, find


def main(address: str, module: str, name: str, way: str, quick: str) -> None:
    """Serve one way until the other side hangs up or sends None."""
    with Client(address) as line:
        try:
            work = find(module, name, quick == "quick")
            data = work.data()
            begin = time.perf_counter()
            call = work.ways[way].make(*data)
            ready = time.perf_counter()
            first = call()
            done = time.perf_counter()
            again = call()
            seconds = {"set up": ready - begin, "first call": done - ready, "call": time.perf_counter() - done}
            answers = [digest(work.answer(work.ways[way].answer(x))) for x in (first, again)]
        except (ImportError, OSError) as error:
            line.send(("missing", f"{type(error).__name__}: {str(error).splitlines()[0]}"))
            return
        except Exception:
            line.send(("failed", traceback.format_exc()))
            return
        line.send(("ready", seconds, answers))
        del first, again
        gc.collect()
        gc.disable()
        while (count := line.recv()) is not None:
            taken = []
            for _ in range(count):
                begin = time.perf_counter()
                call()
                taken.append(time.perf_counter() - begin)
            gc.collect()
            line.send(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
