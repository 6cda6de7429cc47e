"""Text for people to read."""

import re


def minus(number: str) -> str:
    """Return a number with a minus sign for a hyphen, for whoever reads it in print."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", number)
