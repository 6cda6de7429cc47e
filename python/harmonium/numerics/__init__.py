"""Numerical tools that know nothing of models: linear algebra, safeguarded solves, derivatives."""
