"""What all tests share: the same examples in every run, and law suites that tests can import."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# no deadline: a busy machine is no failure; fixed examples: a run can be repeated
settings.register_profile(
    "harmonium",
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("harmonium")

# appended, since directories here are named after packages of the library
sys.path.append(str(Path(__file__).parent))
pytest.register_assert_rewrite("laws")
