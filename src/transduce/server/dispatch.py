"""Addresses without fields are found at once; starlette looks for all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Dispatch"]


class Dispatch:
    """An ASGI application: the way through starlette costs as much as a short answer's reading."""

    def __init__(self, routes: Sequence[Route], otherwise: ASGIApp) -> None:
        """``otherwise`` answers what is at none of the ``routes`` whose paths have no fields."""
        self._known = {
            (method, route.path): route.app
            for route in reversed(routes)  # the first of a path counts
            if "{" not in route.path
            for method in route.methods or ()
        }
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = None
        if scope["type"] == "http":
            found = self._known.get((scope["method"], scope["path"]))
        await (found or self._otherwise)(scope, receive, send)
