"""One command: measures all there is, prints tables, writes JSON and a chart."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks import report
from benchmarks.timing import ROOT, Settings, measure
from benchmarks.work import SUBJECTS, works

# subjects of ours alone, or of numbers other than times: each is a function of the settings that prints and gives its results
STUDIES = ("compiling", "memory", "accuracy", "scaling", "large", "schedules")


def main() -> None:
    """See ``python -m benchmarks --help``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=(*SUBJECTS, *STUDIES), help="these subjects alone")
    parser.add_argument("--match", default="", help="pieces of work whose name contains this alone")
    parser.add_argument("--rounds", type=int, default=7, help="turns that every way has; medians are over their calls")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads, and cores, of every way")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that all runs")
    parser.add_argument("--python", nargs="*", default=[], metavar="PEER=PATH", help="the interpreter for a peer's ways")
    parser.add_argument(
        "--chroma", type=Path, help="an .npz with f_chroma_1 and f_chroma_2, (12, N) and (12, M), for the subject large"
    )
    parser.add_argument("--huge", action="store_true", help="in the subject large, 100,000 x 100,000 as well")
    parser.add_argument("--json", type=Path, help="by default benchmarks/results.json, with --quick build/benchmark-quick.json")
    parser.add_argument("--chart", type=Path, help="a PNG of the ratios and of the cost of a cell by size")
    options = parser.parse_args()
    settings = Settings(rounds=max(1, options.rounds), quick=options.quick, pythons=dict(p.split("=", 1) for p in options.python))
    results: dict = {"environment": report.machine(settings), "settings": {"rounds": settings.rounds, "quick": settings.quick}}
    report.print_machine(results["environment"])
    kept = options.json or ROOT / ("build/benchmark-quick.json" if options.quick else "benchmarks/results.json")
    results["work"] = rows = []
    chosen = options.only or (*SUBJECTS, *STUDIES)
    for subject in (s for s in SUBJECTS if s in chosen):
        lines = []
        for threads in options.threads:
            for work in works(f"benchmarks.{subject}", settings.quick):
                if options.match in work.name:
                    rows.append(measure(f"benchmarks.{subject}", work, threads, settings))
                    lines += report.lines(rows[-1])
                    print(f"  {work.name}, {threads} thread(s)", flush=True)
        print(f"\n{subject}\n\n" + report.table(report.HEAD, lines), flush=True)
        report.write(kept, results)
    for study in (s for s in STUDIES if s in chosen):
        results[study] = import_module(f"benchmarks.{study}").study(settings, options)
        report.write(kept, results)
        print(flush=True)
    results["troubles"] = report.troubles(rows)
    print("\n".join(results["troubles"]), flush=True)
    report.write(kept, results)
    if options.chart:
        from benchmarks.chart import draw

        draw(results, options.chart)
