"""A client event that the service refuses: what becomes an `error` event."""

from typing import Any


class Refusal(Exception):
    """The event has no effect; the session goes on.

    Args:
        code: the service's code, None where it sends null.
        message: what it says.
        param: dotted path of the offending field.
    """

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param

    def body(self, event_id: str | None) -> dict[str, Any]:
        """The `error` object; `event_id` is the client's, echoed."""
        return {
            "type": "invalid_request_error",
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": event_id,
        }
