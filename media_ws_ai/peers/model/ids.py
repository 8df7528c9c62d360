"""Ids as the service makes them: a prefix and 21 letters or digits, drawn from the session's own random numbers."""

import random
from typing import Final

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LENGTH: Final = 21


def new_id(rng: random.Random, prefix: str) -> str:
    """For example `resp_` and 21 characters; the same seed gives the same ids."""
    return prefix + "_" + "".join(rng.choices(_ALPHABET, k=_LENGTH))


def noise(rng: random.Random) -> str:
    """The `obfuscation` value the service adds to text deltas."""
    return "".join(rng.choices(_ALPHABET, k=rng.randint(2, 14)))
