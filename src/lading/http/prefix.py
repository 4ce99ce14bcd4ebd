"""The path under which a proxy offers the service, whether the proxy takes it off or leaves it in front."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class PrefixMiddleware:
    """Puts the prefix where ASGI wants it: in `root_path`, and in front of `path`.

    Args:
        app: what is inside.
        prefix: as `/models/iris`, without a slash at its end.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request."""
        if scope["type"] == "http":
            path = scope["path"]
            has_prefix = path == self._prefix or path.startswith(f"{self._prefix}/")
            scope = {**scope, "root_path": self._prefix, "path": path if has_prefix else self._prefix + path}
        await self._app(scope, receive, send)
