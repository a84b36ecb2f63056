"""What machine this is, in words."""

import os
import platform
import shutil
import subprocess


def hardware() -> str:
    """Processor, cores a process may use and graphics card, without the machine's name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        f"{platform.system()} {platform.machine()}",
        f"{cores} CPU core{'s' if cores != 1 else ''}",
    ]
    if shutil.which("nvidia-smi"):
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
        )
        parts += sorted(set(found.stdout.split("\n")) - {""}) if found.returncode == 0 else []
    return ", ".join(parts)
