"""The arguments of every command."""

import importlib
from argparse import (
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Never

from harmonium import __version__
from harmonium.cli.choices import CHOICES, COVARIANCES
from harmonium.cli.errors import UsageError
from harmonium.cli.gallery.registry import FIGURES, Entry, find

_EXAMPLES = """\
examples:
  harmonium fit iris.csv --drop species --model gaussian-mixture --components 3 --output iris.hm
  harmonium predict iris.hm more.csv --output clusters.csv
  harmonium sample iris.hm -n 1000 --seed 1 | head
  harmonium info iris.hm
"""

_FIT = """\
Fit a model to the numbers in a table, show it and save it.

models:
{models}

The table has a row a line, its fields separated by commas, semicolons or tabs; a first line of
names is recognised. Columns without a name, or of a table without names, go by their number.
"""

_FIT_EXAMPLES = """\
examples:
  harmonium fit iris.csv --drop species --model gaussian-mixture --components 3 --output iris.hm
  harmonium fit marks.csv --model factor-analysis --factors 2 --missing --output marks.hm
  harmonium fit spikes.csv --model poisson-mixture --components 4 --n-init 10 --output spikes.hm
  zcat big.csv.gz | harmonium fit - --model ppca --factors 5 --columns x,y,z,u,v,w --output big.hm
"""

_PREDICT = """\
Say what a saved model knows about each row of a table, as a table with a header.

By default: the cluster and the log density (in nats) for mixtures, the posterior means of the
latent coordinates for models with factors or binary units, both cluster and coordinates where
factors fall into clusters. Clusters are counted from 0. Columns are found by their names where the
table has a header, whatever their order; further columns are ignored.
"""

_PREDICT_EXAMPLES = """\
examples:
  harmonium predict iris.hm more.csv
  harmonium predict iris.hm more.csv --probabilities --output probabilities.csv
  harmonium predict marks.hm marks.csv --missing --log-density | sort -g | head
"""

_GALLERY = """\
Make the paper's figures: pictures, the numbers behind each, and what theory says beside them.

figures, by number or name (default: all):
{figures}

Each becomes a PNG and a JSON; index.html shows them all. Without --full each takes seconds, with
it the paper's sizes. Figures that the folder holds already stay, unless they are made again.
"""

_GALLERY_EXAMPLES = """\
examples:
  harmonium gallery --output gallery
  harmonium gallery 3 10 --full --seed 1 --output gallery
"""


class _Parser(ArgumentParser):
    """An argument parser whose errors are the command line's own."""

    def error(self, message: str) -> Never:
        """Raise, where argparse would print its usage and leave."""
        raise UsageError(message, self.prog)


def parse(arguments: Sequence[str] | None) -> Namespace:
    """Return the options of a command, with its name ``prog`` and the function ``run`` that does it.

    Raises UsageError for wrong arguments, SystemExit after ``--help`` and ``--version``.
    """
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}", options.prog)
    return options


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="harmonium",
        description="Latent variable models whose inference and learning are exact.",
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"harmonium {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, summary: str, text: str, examples: str, module: str) -> ArgumentParser:
        sub: ArgumentParser = commands.add_parser(
            name,
            help=summary,
            description=text,
            epilog=examples,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        sub.set_defaults(run=_lazily(module), prog=sub.prog)
        return sub

    models = "\n".join(f"  {name:26}{choice.summary}" for name, choice in CHOICES.items())
    _fit(
        command(
            "fit", "fit a model to a table", _FIT.format(models=models), _FIT_EXAMPLES, "fitting"
        )
    )
    _predict(
        command(
            "predict", "apply a saved model to a table", _PREDICT, _PREDICT_EXAMPLES, "predicting"
        )
    )
    _sample(
        command(
            "sample",
            "draw rows from a saved model",
            "Write rows drawn from a saved model, as a table with a header.",
            "examples:\n  harmonium sample iris.hm -n 1000 --seed 1 --latent --output drawn.csv\n",
            "sampling",
        )
    )
    _info(
        command(
            "info",
            "describe a saved model",
            "Check a model file and say what it holds.",
            "examples:\n  harmonium info iris.hm\n  harmonium info iris.hm --json\n",
            "describing",
        )
    )
    demo = commands.add_parser(
        "demo", help="fit real tables and draw what was found", allow_abbrev=False
    )
    demo.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write to"
    )
    demo.set_defaults(run=_demo, prog=demo.prog)
    figures = "\n".join(f"  {f.number:>2}  {f.name:22}{f.summary}" for f in FIGURES)
    _gallery(
        command(
            "gallery",
            "make the paper's figures",
            _GALLERY.format(figures=figures),
            _GALLERY_EXAMPLES,
            "gallery",
        )
    )
    return parser


def _lazily(module: str) -> Callable[[Namespace], int]:
    """The command of a module, imported when it runs: help need not wait for it."""

    def run(options: Namespace) -> int:
        code: int = importlib.import_module(f"harmonium.cli.{module}").run(options)
        return code

    return run


def _demo(options: Namespace) -> int:
    code: int = importlib.import_module("harmonium.cli.demo").run(options.output)
    return code


def _fit(parser: ArgumentParser) -> None:
    _table(parser)
    model = parser.add_argument_group("model")
    model.add_argument("--model", choices=CHOICES, required=True, metavar="NAME", help="see above")
    model.add_argument("--components", type=_count, metavar="K", help="number of clusters")
    model.add_argument("--factors", type=_count, metavar="M", help="number of factors")
    model.add_argument("--units", type=_count, metavar="N", help="number of binary units")
    model.add_argument(
        "--covariance",
        choices=COVARIANCES,
        help="shape of the clusters' covariances (default: full)",
    )
    data = parser.add_argument_group("data")
    data.add_argument("--weights", metavar="COLUMN", help="column of row weights, no data itself")
    fit = parser.add_argument_group("fit")
    fit.add_argument(
        "--seed", type=_whole, default=0, metavar="S", help="of the starting points (0)"
    )
    fit.add_argument(
        "--n-init", type=_count, default=1, metavar="N", help="starting points to try (1)"
    )
    fit.add_argument(
        "--tol",
        type=_positive,
        default=1e-6,
        metavar="T",
        help="largest standardised difference of average and model expectation (1e-6)",
    )
    fit.add_argument(
        "--max-iter", type=_whole, default=1000, metavar="N", help="most iterations (1000)"
    )
    _threads(parser)
    fit.add_argument("--output", required=True, metavar="MODEL.hm", help="file to save to")
    fit.add_argument("--quiet", action="store_true", help="show neither progress nor summary")


def _predict(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.hm", help="a saved model")
    _table(parser)
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--probabilities", action="store_true", help="of each cluster")
    answer.add_argument("--latent", action="store_true", help="means of the latent coordinates")
    answer.add_argument("--log-density", action="store_true", help="in nats, in the data's units")
    _threads(parser)
    _output(parser)


def _sample(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.hm", help="a saved model")
    parser.add_argument(
        "-n", "--rows", type=_count, required=True, metavar="N", help="how many rows"
    )
    parser.add_argument("--seed", type=_whole, metavar="S", help="for the same rows again")
    parser.add_argument("--latent", action="store_true", help="write the latent columns too")
    _output(parser)


def _info(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.hm", help="a saved model")
    parser.add_argument("--json", action="store_true", help="all of it, for programs")


def _gallery(parser: ArgumentParser) -> None:
    parser.add_argument("figures", nargs="*", type=_figure, metavar="FIGURE", help="see above")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to write to"
    )
    parser.add_argument("--full", action="store_true", help="in the paper's sizes")
    parser.add_argument(
        "--seed", type=_whole, default=0, metavar="S", help="of data and starting points (0)"
    )
    _threads(parser)


def _table(parser: ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA.csv", help="a table; - for standard input")
    table = parser.add_argument_group("table")
    table.add_argument(
        "--columns", action="append", metavar="A,B,C", help="columns to use (default: all)"
    )
    table.add_argument("--drop", action="append", metavar="A,B", help="columns to leave out")
    table.add_argument(
        "--missing",
        action="store_true",
        help="empty fields, NA and NaN are missing values, not errors",
    )
    table.add_argument(
        "--delimiter", type=_delimiter, metavar="D", help="what separates fields (default: found)"
    )
    table.add_argument(
        "--header",
        action=BooleanOptionalAction,
        help="whether the first line has names (default: found)",
    )


def _threads(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=_count, metavar="N", help="most threads to use; results are the same"
    )


def _output(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--output", metavar="OUT.csv", help="file to write (default: standard output)"
    )


def _figure(text: str) -> Entry:
    try:
        return find(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    return _integer(text, 1)


def _whole(text: str) -> int:
    return _integer(text, 0)


def _integer(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) < least:
        raise ArgumentTypeError(f"a whole number of at least {least}, not {text!r}")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not isfinite(value) or value < 0:
        raise ArgumentTypeError(f"a number of at least zero, not {text!r}")
    return value


def _delimiter(text: str) -> str:
    value = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(value) != 1 or value.isalnum() or value in '"\r\n.+-_':
        raise ArgumentTypeError(f"a single character or the word tab, not {text!r}")
    return value
