"""What the embedded server says when it cannot do its work: one sentence that a person can act on."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be started, found or stopped; the text says why and what helps."""
