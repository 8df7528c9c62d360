"""Our own ids for messages to the model: unique within a call, so that an error tells which message it means."""

import itertools


class Refs:
    """`ref("ask") -> "ask-7"`."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"
