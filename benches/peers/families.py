"""Families side by side with numpy, scipy and short numpy scripts, on one thread.

    python benches/peers/families.py [--pairs 9] [--quick] [--markdown]

Functions must return the peer's numbers to 1e-7, samplers its means and mean squares to six
standard errors; how far they are apart stands in the table.
"""

import argparse
from functools import partial

from density_cases import density_cases, estimate_cases
from log_partition_cases import boltzmann_cases, com_poisson_cases, von_mises_cases
from markdown import show
from sampler_cases import many_laws, one_law
from side_by_side import run, table

N = 100_000
TABLES = {
    "Conway-Maxwell-Poisson: log partition and mean": partial(com_poisson_cases, 2_000),
    "Boltzmann machines: log partition and mean": boltzmann_cases,
    "von Mises functions of 100,000 concentrations": partial(von_mises_cases, N),
    "Log densities of 100,000 rows": partial(density_cases, N),
    "Maximum likelihood of 100,000 rows": partial(estimate_cases, N),
    "100,000 draws, each of a law of its own": partial(many_laws, N),
    "100,000 draws of one law": partial(one_law, N),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="runs of each side")
    parser.add_argument("--quick", action="store_true", help="three runs of each side")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    options = parser.parse_args()
    pairs = 3 if options.quick else options.pairs
    for title, cases in TABLES.items():
        results = [run(case, pairs) for case in cases()]
        show(
            table(f"{title} (times of the peer / of harmonium)", results),
            as_markdown=options.markdown,
        )


if __name__ == "__main__":
    main()
