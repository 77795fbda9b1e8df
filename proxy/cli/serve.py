"""``scopegate serve``: run the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from proxy.cli.options import DATA, POLICIES, Data, Policies
from proxy.cli.output import console, fail, refuse_policy
from proxy.database import DatabaseError
from proxy.errors import PolicyError
from proxy.settings import Settings
from proxy.telemetry import LogFormat, configure_logging
from store.errors import StoreError

_KEEP_ALIVE_S = 65
_GRACE_S = 20
_BACKLOG = 2048
_ENDING = (signal.SIGINT, signal.SIGTERM)


def serve(
    data: Data = DATA,
    policies: Policies = POLICIES,
    host: Annotated[
        str, typer.Option(envvar="SCOPEGATE_HOST", help="Address to listen on; 0.0.0.0 for all.", metavar="HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="SCOPEGATE_PORT", min=0, max=65535, help="Port to listen on; 0 for any that is free.")
    ] = 8080,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="SCOPEGATE_LOG_FORMAT", help="How log lines on standard error look.")
    ] = "json",
    log_level: Annotated[
        str, typer.Option(envvar="SCOPEGATE_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.", metavar="LEVEL")
    ] = "INFO",
) -> None:
    """Run the gateway until it is interrupted.

    Refuses to start on policy files with a mistake. While it runs, a change of the files takes effect for the next
    request; a change with a mistake is refused and the policies in force stay.
    """
    level = log_level.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise typer.BadParameter("must be DEBUG, INFO, WARNING or ERROR", param_hint="--log-level")
    configure_logging(log_format, level)
    try:
        asyncio.run(_serve(Settings(data, policies), host, port))
    except PolicyError as error:
        refuse_policy(error)
    except (DatabaseError, StoreError, OSError) as error:
        fail(str(error))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let a signal end the serving, and nothing else.

        Uvicorn's own raises the signal again as soon as the last answer is sent, which would end the process before
        the store and the audit log are closed.
        """
        before = {each: signal.signal(each, self.handle_exit) for each in _ENDING}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


async def _serve(settings: Settings, host: str, port: int) -> None:
    from proxy.app import open_app  # noqa: PLC0415 - seconds of loading that other commands need not wait for

    listening = _listen(host, port)
    with listening:
        async with open_app(settings) as app:
            _announce(settings, app.policies.in_force.version, listening)
            config = uvicorn.Config(
                app.asgi,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
            )
            await _Server(config).serve(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, every answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        fail(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port")
    return listening


def _announce(settings: Settings, policy_version: str, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    spelled = f"[{host}]" if ":" in host else host
    console.print(f"Scopegate {version('scopegate')}")
    console.print(f"policy     {policy_version} from {_shown(settings.policies)}", markup=False)
    console.print(f"data       {_shown(settings.data)}", markup=False)
    console.print(f"listening  http://{spelled}:{port}", markup=False)
    console.file.flush()


def _shown(folder: Path) -> str:
    return str(folder.resolve())
