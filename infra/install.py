"""Fill the virtual environment from a lock: `python infra/install.py requirements.lock [--torch-index URL]`.

Run by the Makefile, before anything of ours or of others can be imported: standard library only.
With `--torch-index` torch comes from that index (a CPU-only build has other hashes than the lock) and the CUDA
libraries that the registry's build needs are left out; everything else is installed from the lock as ever.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CUDA_ONLY = re.compile(r"^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)(==|\[)")


def split_lock(text: str) -> tuple[str, str]:
    """(lock without torch and CUDA, the pinned torch requirement)."""
    kept: list[str] = []
    torch = ""
    dropping = False
    for line in text.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            dropping = bool(CUDA_ONLY.match(line))
            if line.startswith("torch=="):
                torch = line.split()[0]
        if not dropping:
            kept.append(line)
    return "\n".join(kept) + "\n", torch


def uv(*arguments: str) -> None:
    """One uv call on this environment; its own message and exit status on failure."""
    result = subprocess.run([str(Path(sys.executable).parent / "uv"), "pip", *arguments, "--python", sys.executable])
    if result.returncode:
        sys.exit(
            "copydesk: the set-up failed (uv's message stands above). Without a connection to a package index,"
            " name one that can be reached: UV_DEFAULT_INDEX=https://… make …"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--torch-index", default="")
    options = parser.parse_args()
    install = ("install", "-q", "--compile-bytecode")
    if options.torch_index:
        rest, torch = split_lock(options.lock.read_text())
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(rest)
            file.flush()
            uv(*install, "--no-deps", "--require-hashes", "-r", file.name)
        uv(*install, "--index", options.torch_index, torch)
    else:
        uv(*install, "--no-deps", "--require-hashes", "-r", str(options.lock))
    uv("install", "-q", "--no-deps", "--no-build-isolation", "-e", ".")


if __name__ == "__main__":
    main()
