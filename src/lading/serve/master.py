"""The process of one generation: it loads the model, never predicts, and forks workers that share its memory.

Run by the supervisor as `python -m lading.serve.master`, with an `Order` on standard input.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from lading.errors import LadingError, ModelError, name_of
from lading.monitor.slots import Slots, release
from lading.serve.collector import leave_alone
from lading.serve.lifeline import Lifeline, end_with_parent, is_cut
from lading.serve.logs import configure_logs
from lading.serve.order import Order
from lading.serve.reports import Failed, Gone, send
from lading.serve.worker import LadingWorker, Prepared
from lading.settings import Settings

_MARGIN_S = 5.0
"""Beyond the time that workers give themselves, before they are killed."""
_RESPAWN_S = 1.0
_SHARED_MEMORY = Path("/dev/shm")


def main() -> None:
    """Load what the order names, and keep workers that serve it."""
    end_with_parent()
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    configure_logs(order.settings.log_format)
    # The supervisor's terminal is not ours: it tells us what a Ctrl-C means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Lifeline(order.lifeline):
            prepared = _prepare(order)
    except LadingError as error:
        send(order.reports, Failed.of(error))
        _end(1)
    try:
        Master(_Application(prepared), prepared).run()
    except SystemExit as end:
        # Of the master, or of a worker that it forked.
        _end(end.code if isinstance(end.code, int) else 1)


def _end(code: int) -> NoReturn:
    """End this process; Python itself would wait for threads that a model has begun."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a model may have done anything to it
        sys.stdout.flush()
    os._exit(code)


def _prepare(order: Order) -> Prepared:
    """The order with its model, where that may be loaded before a fork."""
    pid, stamp = os.getpid(), order.target.stamp()
    try:
        model = order.target.load(order.settings) if order.target.survives_fork(order.settings) else None
    except LadingError:
        raise
    # Loading runs the model's own code, which may raise anything.
    except BaseException as error:
        raise ModelError(f"the model cannot be loaded: {name_of(error)}") from error
    if os.getpid() != pid:
        os._exit(0)  # that code forked
    leave_alone()
    return Prepared(order, model, stamp, Slots.attach(order.counters))


class _Application(BaseApplication):  # type: ignore[misc]
    """The settings of gunicorn, and the model as what it calls the application."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        super().__init__()

    def load_config(self) -> None:
        for name, value in _gunicorn_settings(self._prepared.order.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Prepared:
        return self._prepared


def _gunicorn_settings(settings: Settings) -> dict[str, Any]:
    return {
        "workers": settings.workers,
        "worker_class": LadingWorker,
        "preload_app": True,
        "timeout": round(settings.stuck_s),
        "graceful_timeout": round(settings.drain_s + settings.shutdown_s + _MARGIN_S),
        "control_socket_disable": True,
        "worker_tmp_dir": str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None,
        "logger_class": _Log,
        "proc_name": "lading",
    }


class _Log(Logger):  # type: ignore[misc]
    """Gunicorn's words, in our log; of what it does all the time only what went wrong."""

    def setup(self, cfg: Any) -> None:
        self.error_log = self.access_log = logging.getLogger("lading.master")
        self.error_log.setLevel(logging.WARNING)


class Master(Arbiter):  # type: ignore[misc]
    """Gunicorn's arbiter, which reports to the supervisor, and leaves in the supervisor's steps.

    `SIGUSR1` drains, `SIGUSR2` drains and takes no new connections, `SIGTERM` finishes. Once it drains, a worker that
    dies is not replaced: it would not know that it is to leave.
    """

    WORKER_BOOT_ERROR = APP_LOAD_ERROR = -1  # no exit code of one worker ends the others

    def __init__(self, app: _Application, prepared: Prepared) -> None:
        super().__init__(app)
        self._prepared = prepared
        self._is_leaving = False
        self._told = ""
        self._spawned_at = -_RESPAWN_S
        self.cfg.set("child_exit", lambda arbiter, worker: self._bury(worker))
        self.LISTENERS = [prepared.listener]
        self.systemd = True  # the socket is somebody else's: its name in the file system is not for us to take away

    def spawn_workers(self) -> None:
        """Fork as many as are missing, without gunicorn's pause between two; workers that die at once, slowly."""
        now = time.monotonic()
        if now - self._spawned_at < _RESPAWN_S:
            return  # gunicorn's loop comes by again, every second at least
        self._spawned_at = now
        try:
            self._prepared.check_stamp()
            for _ in range(self.num_workers - len(self.WORKERS)):
                self.spawn_worker()
        except OSError as error:
            self._tell(LadingError(f"a worker cannot be started: {error.strerror}"))
        except ModelError as error:
            self._tell(error)
            if not self.WORKERS:
                sys.exit(1)
        else:
            self._told = ""

    def spawn_worker(self) -> Any:
        """Fork a worker, which counts in a slot that nobody else has."""
        taken = {worker.slot for worker in self.WORKERS.values()}
        self._prepared.slot = next(slot for slot in self._prepared.order.slots if slot not in taken)
        # A signal for a worker that is not yet its own master would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)
        try:
            pid = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self.WORKERS[pid].slot = self._prepared.slot
        return pid

    def _tell(self, error: LadingError) -> None:
        """Report why a worker is missing, once as long as that is so."""
        if error.message != self._told:
            self._told = error.message
            send(self._prepared.order.reports, Failed.of(error))

    def _bury(self, worker: Any) -> None:
        release(self._prepared.slots, worker.slot)
        send(self._prepared.order.reports, Gone(worker.pid))

    def manage_workers(self) -> None:
        """Replace who died, while others do not leave too."""
        if not self._is_leaving:
            super().manage_workers()

    def murder_workers(self) -> None:
        """Replace workers that show no sign of life; end them all when the supervisor has gone."""
        if is_cut(self._prepared.order.lifeline):
            self.kill_workers(signal.SIGKILL)
            os._exit(1)
        super().murder_workers()

    def handle_usr1(self) -> None:
        """Drain."""
        self._leave(signal.SIGUSR1)

    def handle_usr2(self) -> None:
        """Drain, and take no new connections."""
        self._leave(signal.SIGUSR2)

    def _leave(self, number: signal.Signals) -> None:
        self._is_leaving = True
        self.kill_workers(number)

    def handle_hup(self) -> None:
        """Nothing: a new version is a new generation."""

    handle_ttin = handle_ttou = handle_winch = handle_hup


if __name__ == "__main__":
    # Nothing but the main thread is left when it forks; libraries keep threads that wait, which harms nobody.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    main()
