"""What the figures were measured on."""

import os
import platform
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.serving.environments import program_versions


def facts() -> dict[str, str]:
    """Date, processors, kernel, Python and programs, each in words."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processors": f"{len(os.sched_getaffinity(0))} x {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, {_build()}",
        **program_versions(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _build() -> str:
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    flags = (sysconfig.get_config_var("PY_CFLAGS") or "").split()
    levels = [flag for flag in flags if flag.startswith("-O")]
    optimized = "with" if "--enable-optimizations" in arguments else "without"
    lto = "with" if "--with-lto" in arguments else "without"
    return f"built {optimized} --enable-optimizations, {lto} --with-lto, {levels[-1] if levels else 'no -O'}"
