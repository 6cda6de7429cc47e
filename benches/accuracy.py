"""Write docs/accuracy.md: every family against mpmath, over its declared domain.

    python benches/accuracy.py [--points 1000] [--output docs/accuracy.md]

The points and the oracles are those of the law tests (tests/laws): half of the points are
ordinary, half are spread to the corners of the domain, all from a stated seed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.progress import track

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from laws import formulas  # noqa: E402 - the tests are found only now
from laws.family_cases import CASES  # noqa: E402
from laws.scales import mean_condition, natural_condition  # noqa: E402

SEED = 20_000
# a sum over columns must keep the digits of one of e**-650 beside one near 1
formulas.DIGITS = 400
HEADER = """\
# Accuracy

Written by `make accuracy`: {points} points a family, half of them ordinary and half spread to the
corners of the domain (seed {seed}; the maps from free coordinates to the domain are in
`tests/laws/charts.py`), against mpmath at {digits} digits.

**Relative** is the largest error relative to the value itself. **Conditioned** is the largest error
relative to what one unit of relative change in every argument does to the value (and to the value
itself): a perfect algorithm on rounded arguments has about {eps:.1e}. **Condition** is the largest
ratio of the two scales. **Round trip** is natural → mean → natural, conditioned likewise, where the
Fisher information is not singular to double precision.

| family | psi: relative | conditioned | mean: relative | conditioned | condition | round trip |
|---|---|---|---|---|---|---|
"""


def errors(case, natural):
    """Relative and conditioned errors of psi and the mean, the condition, and the round trip."""
    family = case.family
    psi, mean = family.log_partition(natural), family.to_mean(natural)
    exact = formulas.evaluate(case.formula, natural)
    gradient = formulas.gradient(case.formula, natural)
    gap = abs(float(psi - exact))
    sensitivity = max(float(abs(exact)), float(np.abs(natural) @ np.abs(mean)))
    row = [_ratio(gap, float(abs(exact))), _ratio(gap, sensitivity)]
    gaps = np.array([abs(float(m - g)) for m, g in zip(mean, gradient, strict=True)])
    values = np.array([abs(float(g)) for g in gradient])
    bound = mean_condition(family, natural)
    row += [
        max(map(_ratio, gaps, values), default=0.0),
        max(map(_ratio, gaps, bound), default=0.0),
        max(map(_ratio, bound, values), default=1.0),
    ]
    return [*row, _round_trip(family, natural, mean)]


def _round_trip(family, natural, mean):
    bound = natural_condition(family, natural)
    if not np.isfinite(bound).all() or family._on_boundary(mean) is not None:
        return 0.0
    back = family.to_natural(mean)
    return max(map(_ratio, np.abs(back - natural), bound), default=0.0)


def _ratio(gap, scale):
    return float(gap / scale) if scale > 0 else (0.0 if gap == 0 else np.inf)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "accuracy.md")
    options = parser.parse_args()
    lines = []
    own = [case for case in CASES if type(case.family).__module__.startswith("harmonium.")]
    for case in track(own, description="families"):
        half = options.points // 2
        points = [*case.points(SEED, half), *case.extremes(SEED, options.points - half)]
        worst = np.max([errors(case, natural) for natural in points], axis=0)
        cells = " | ".join(f"{value:.1e}" for value in worst)
        lines.append(f"| `{case!r}` | {cells} |\n")
    eps = float(np.finfo(float).eps)
    text = HEADER.format(points=options.points, seed=SEED, digits=formulas.DIGITS, eps=eps)
    options.output.write_text(text + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
