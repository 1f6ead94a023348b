"""Why a request is refused: a status of HTTP, one line for a person, when to come again."""

from __future__ import annotations

from transduce.errors import TransduceError

__all__ = ["ClientGoneError", "RequestError"]


class RequestError(TransduceError):
    """A request that is answered with ``status`` (400 to 599) and its message.

    ``retry_after``: whole seconds after which the same may be answered; None where it never will.
    """

    def __init__(self, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""
