"""Whose fault it is: the type says it. Theirs is met in the field; ours is a bug."""


class PeerError(Exception):
    """The carrier or the model did something the protocol forbids, or went away."""


class ContractError(Exception):
    """Our own code broke a rule that a docstring states: a bug."""


class SettingsError(Exception):
    """Settings that cannot work; the message lists every fault, a sentence each."""
