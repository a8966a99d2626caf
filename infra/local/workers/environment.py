"""The workers' own virtual environment: RunPod's SDK brings a hundred packages that we do not want.

`python -m infra.local.workers.environment` makes or refreshes it.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

import uv

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
ENVIRONMENT = ROOT / ".venv-workers"


def ensure_environment(directory: Path = ENVIRONMENT) -> Path:
    """The environment's Python; made, or brought up to date, unless it already is.

    Several processes may ask at once: one works, the others wait.

    Raises:
        subprocess.CalledProcessError: uv could not install, for instance without network.
    """
    directory.mkdir(parents=True, exist_ok=True)
    python, stamp = directory / "bin" / "python", directory / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    # Not .lock: that name is uv's own.
    with (directory / "requirements.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return python
        _install(directory, python)
        stamp.write_text(wanted)
    return python


def _install(directory: Path, python: Path) -> None:
    binary = uv.find_uv_bin()
    venv = [binary, "venv", "-q", "--allow-existing", "--python", sys.executable, str(directory)]
    subprocess.run(venv, check=True)
    sync = [binary, "pip", "sync", "-q", "--python", str(python), str(REQUIREMENTS)]
    subprocess.run(sync, check=True)


if __name__ == "__main__":
    print(ensure_environment())
