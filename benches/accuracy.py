"""Write docs/accuracy.md: every family against mpmath, over its declared domain.

    python benches/accuracy.py [--points 2000] [--processes N] [--output docs/accuracy.md]

Domains, oracles and errors are those of the tests: tests/laws/declared.py, exact.py, accuracy.py.
The figures depend on the number of points alone. Ends with status 1 if a target is missed; Ctrl-C
leaves the file as it was.
"""

import argparse
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harmonium.io.atomic import write_atomically  # noqa: E402 - after the tests are found
from laws.accuracy import Worst, measure  # noqa: E402
from laws.declared import DECLARED, EPS, Declared  # noqa: E402
from laws.exact import DIGITS  # noqa: E402

SEED = 20_000
#: Points measured together.
PART = 100
HEADER = """\
# Accuracy

Written by `make accuracy`: {points} points a family, spread over its declared domain (seed {seed}),
against mpmath at {digits} digits or more. Of every ten points seven lie anywhere in the domain, evenly
on a log scale where it spans decades; two have some coordinates at an end of the domain, and one has
all of them there. Domains are in `tests/laws/declared.py`, oracles in `tests/laws/exact.py` and
`tests/laws/exact_counts.py`; the laws hold the oracles against independent ones.

**Relative** is the largest error relative to the value itself. The **condition number** of a value
is what relative changes of all its arguments, added, do to it relatively, by the Fisher information
that the laws hold against differences; the largest is given. **Error** is the largest error relative
to the value times the condition number, where that is above one: what is promised. Of simple families
it is at most 8 eps ({simple:.1e}), of the others at most 1e-12.

**Round trip** is natural → mean → natural, relative to the value times *its* condition number: at
most 1e-9; for von Mises angles at most 1e-12, relative to the value and to the larger of 1 and
16 eps concentration / 1e-12. It is taken where the mean lies inside the domain and the Fisher
information is not singular to double precision (**there and back** counts these points; at the others
the condition number passes 1e12, and no digit is promised); of Boltzmann machines at {returns} points
at most.

The error of the **entropy** is relative to the value times the condition number too, but not promised;
it has no figure where entropies are no function of psi and the mean. Numbers below 2.2e-308 count as
zero. Errors of von Mises and von Mises-Fisher laws are those of lengths.

| family | domain | target |
|---|---|---|
{domains}
| family | psi: relative | error | mean: relative | error | condition number | entropy | round trip \
| there and back | targets met |
|---|---|---|---|---|---|---|---|---|---|
{figures}"""

#: The number of a domain, of points, and of the first of those measured.
Part = tuple[int, int, int]


def measure_part(part: Part) -> tuple[int, Worst]:
    """The largest errors of some points of a domain."""
    which, points, start = part
    declared = DECLARED[which]
    natural = declared.points(SEED, points)[start : start + PART]
    return which, measure(declared, natural, max(0, declared.returns - start))


def figures(declared: Declared, worst: Worst) -> str:
    """A line of the second table."""
    errors = (
        worst.log_partition,
        worst.log_partition_conditioned,
        worst.mean,
        worst.mean_conditioned,
        worst.condition,
    )
    cells = [f"{value:.1e}" for value in errors]
    cells += ["–" if declared.base is None else f"{worst.entropy:.1e}"]
    cells += [f"{worst.round_trip:.1e}", f"{worst.returned}"]
    return (
        f"| {name(declared)} | {' | '.join([*cells, 'yes' if worst.met(declared) else 'NO'])} |\n"
    )


def name(declared: Declared) -> str:
    """With the domain where two of a family are told apart by it alone."""
    alike = [other for other in DECLARED if repr(other) == repr(declared)]
    return f"`{declared!r}`" + (f", {declared.domain}" if len(alike) > 1 else "")


def domain(declared: Declared) -> str:
    """A line of the first table."""
    target = "8 eps" if declared.forward == 8 * EPS else f"{declared.forward:.0e}"
    return f"| `{declared!r}` | {declared.domain} | {target} |\n"


@contextmanager
def workers(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """What maps a function over tasks, in any order; its processes end with the block."""
    if processes == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    # Ctrl-C is for the parent alone, which ends them all: they are born deaf to it
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pool = context.Pool(processes)
    finally:
        signal.signal(signal.SIGINT, heard)
    with pool:
        yield pool.imap_unordered


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, and say what is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=2000, help="of each family")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "accuracy.md")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    starts = range(0, options.points, PART)
    parts = [(which, options.points, start) for which in range(len(DECLARED)) for start in starts]
    found = [Worst() for _ in DECLARED]
    try:
        with workers(options.processes) as mapped:
            results = mapped(measure_part, parts)
            for which, worst in track(results, "accuracy", len(parts), console=console):
                found[which] = found[which].join(worst)
    except KeyboardInterrupt:
        console.print(f"interrupted: {options.output} is as it was")
        return 130
    both = list(zip(DECLARED, found, strict=True))
    text = HEADER.format(
        points=options.points,
        seed=SEED,
        digits=DIGITS,
        simple=8 * EPS,
        returns=min(declared.returns for declared in DECLARED),
        domains="".join(domain(declared) for declared in DECLARED),
        figures="".join(figures(declared, worst) for declared, worst in both),
    )
    write_atomically(options.output, text.encode())
    missed = [repr(declared) for declared, worst in both if not worst.met(declared)]
    if missed:
        console.print(f"targets missed: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
