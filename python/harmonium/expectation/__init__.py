"""The expectation pass: what a prepared model must answer, where data come from, who does the work."""

from harmonium.expectation.members import member_log_densities, member_sums
from harmonium.expectation.passes import Totals, expectation, latents, log_densities
from harmonium.expectation.prepared import Learned, Moments, Prepared, Restricted, Tilted
from harmonium.expectation.sources import ArraySource, FunctionSource, Source, as_source
from harmonium.expectation.threads import get_threads, set_threads

__all__ = [
    "ArraySource",
    "FunctionSource",
    "Learned",
    "Moments",
    "Prepared",
    "Restricted",
    "Source",
    "Tilted",
    "Totals",
    "as_source",
    "expectation",
    "get_threads",
    "latents",
    "log_densities",
    "member_log_densities",
    "member_sums",
    "set_threads",
]
