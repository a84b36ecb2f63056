"""Kernels that run side by side and end as soon as the command that started them is to end.

A kernel is a session of its own, so Ctrl-C in the terminal does not reach it, and papermill in its
thread waits for it.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_client import AsyncKernelManager

from fer_utils.core.paths import PACKAGE, absolute_folders

GRACE = 1.0
"""Seconds that an interrupted kernel has to clean up before it is killed, and then papermill to
notice."""


class _Running:
    """The process groups of the kernels that run now; none may start any more once they are to
    end."""

    def __init__(self):
        self.lock, self.groups, self.ending = threading.Lock(), set(), False


_running = _Running()


class KnownKernel(AsyncKernelManager):
    """Starts a kernel as papermill would and keeps its process group in mind as long as it runs."""

    _group = None

    async def _async_launch_kernel(self, kernel_cmd, **options):
        # launching is one call of Popen: nothing is awaited while the lock is held
        with _running.lock:
            if _running.ending:
                raise KeyboardInterrupt
            await super()._async_launch_kernel(kernel_cmd, **options)
            self._group = self.provisioner.pid
            _running.groups.add(self._group)

    async def _async_shutdown_kernel(self, now=False, restart=False):
        await super()._async_shutdown_kernel(now=now or _running.ending, restart=restart)

    shutdown_kernel = _async_shutdown_kernel  # both names are called

    async def _async_cleanup_resources(self, restart=False):
        await super()._async_cleanup_resources(restart=restart)
        _running.groups.discard(self._group)

    cleanup_resources = _async_cleanup_resources


@contextmanager
def side_by_side(workers: int, *, threads: int = 0):
    """An executor for ``workers`` calls of ``run_notebook`` at once, whose kernels have ``threads``
    threads each (0: as many as torch takes).

    When the block is left by an error, calls that have not begun are left out and the others waited
    for; when by KeyboardInterrupt, their kernels are ended, and they are waited for no longer than
    ``GRACE``.
    """
    import papermill  # noqa: F401  here, where Ctrl-C ends it, and not first in a thread, which nothing can end

    _running.ending = False
    executor = ThreadPoolExecutor(max_workers=workers)
    with kernel_environment(threads):
        try:
            yield executor
        except KeyboardInterrupt:
            executor.shutdown(wait=False, cancel_futures=True)
            _end_kernels()
            raise
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
        executor.shutdown()


def _end_kernels() -> None:
    """Interrupt all kernels, with what they started, and kill what has not ended after ``GRACE``
    seconds."""
    _running.ending = True
    try:
        with _running.lock:  # one that is just being launched is known after that
            _send(signal.SIGINT)
        _wait_for_the_end()
    finally:  # a second Ctrl-C comes here at once
        _send(getattr(signal, "SIGKILL", signal.SIGTERM))
    _wait_for_the_end()


def _wait_for_the_end() -> None:
    until = time.monotonic() + GRACE
    while _running.groups and time.monotonic() < until:
        time.sleep(0.05)


def _send(number: int) -> None:
    for group in set(_running.groups):
        # it has ended; macOS answers so for the last zombie of a group
        with suppress(ProcessLookupError, PermissionError):
            getattr(os, "killpg", os.kill)(group, number)


@contextmanager
def kernel_environment(threads: int = 0):
    """Environment variables that kernels inherit: this interpreter, this package, its folders,
    inline pictures, few threads."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        _write_kernel(Path(folder) / "kernels" / "python3")
        # A folder in JUPYTER_PATH comes before a kernel called python3 that somebody installed for
        # another project.
        os.environ["JUPYTER_PATH"] = _joined(folder, "JUPYTER_PATH")
        os.environ["PYTHONPATH"] = _joined(str(PACKAGE.parent), "PYTHONPATH")
        os.environ |= absolute_folders()  # a kernel's working folder is that of its notebook
        # nobody will touch a widget: widgets show a picture instead
        os.environ["FER_HEADLESS"] = "1"
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        if threads > 0:
            os.environ["OMP_NUM_THREADS"] = str(threads)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _write_kernel(folder: Path) -> None:
    from ipykernel.kernelspec import write_kernel_spec

    # As its documentation says, but deaf to interrupts from the first: ipykernel is so except while
    # a cell runs. The log level keeps its remarks about its own transport out of the terminal, and
    # tornado's when it is ended in a reply.
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "import logging; logging.getLogger('tornado.general').setLevel(logging.CRITICAL); "
        "import runpy; runpy.run_module('ipykernel_launcher', run_name='__main__')"
    )
    write_kernel_spec(
        folder,
        overrides={
            "argv": [sys.executable, "-c", start, "--log-level=50", "-f", "{connection_file}"]
        },
    )


def _joined(first: str, variable: str) -> str:
    return os.pathsep.join(filter(None, [first, os.environ.get(variable)]))
