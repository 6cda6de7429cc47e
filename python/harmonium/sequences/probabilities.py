"""Initial and transition probabilities: what they must be."""

import numpy as np

from harmonium.validation import (
    FloatArray,
    as_floats,
    as_vector,
    check_finite,
    check_simplex,
    warn_caller,
)


def as_initial(initial: object, n_states: int, *, name: str = "initial") -> FloatArray:
    """Return initial probabilities (n_states,) that sum to one; even ones for None."""
    if initial is None:
        return np.full(n_states, 1 / n_states)
    vector = as_vector(initial, name=name, length=n_states)
    row = check_simplex(vector[None], name, allow_zeros=True)[0]
    return np.asarray(row / row.sum())


def as_transition(transition: object, n_states: int, *, name: str = "transition") -> FloatArray:
    """Return transition probabilities (n_states, n_states) whose rows sum to one."""
    matrix = as_floats(transition, name=name)
    if matrix.shape != (n_states, n_states):
        raise ValueError(f"{name}: shape {matrix.shape}, expected ({n_states}, {n_states})")
    check_finite(matrix, name)
    empty = np.flatnonzero(~matrix.any(-1))
    if len(empty):
        i = int(empty[0])
        raise ValueError(
            f"{name}: row {i} is zero, so state {i} leads nowhere; a state that is never left "
            f"stays: {name}[{i}, {i}] = 1"
        )
    matrix = check_simplex(matrix, name, allow_zeros=True)
    return np.asarray(matrix / matrix.sum(-1, keepdims=True))


def warn_unreachable(initial: FloatArray, transition: FloatArray) -> None:
    """Warn of states that no path leads to."""
    reached = initial > 0
    for _ in range(len(initial)):
        further = reached | (reached @ (transition > 0))
        if (further == reached).all():
            break
        reached = further
    if not reached.all():
        names = ", ".join(map(str, np.flatnonzero(~reached)))
        warn_caller(
            f"transition: no path leads to state {names}: it can be neither found nor learned"
        )
