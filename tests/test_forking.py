"""What a function's worker inherits stays shared with its parent."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Says by how many MB a forked process grows when it collects everything.
SCRIPT = """
import gc, os, re
{imports}
lasting = [[[]] for _ in range(200_000)]

def heap():
    told = open("/proc/self/smaps_rollup").read()
    return int(re.search(r"Pss_Anon:\\s+(\\d+)", told).group(1)) / 1024

reading, writing = os.pipe()
if os.fork() == 0:
    before = heap()
    gc.collect()
    os.write(writing, str(heap() - before).encode())
    os._exit(0)
os.wait()
print(os.read(reading, 100).decode())
"""


def _growth(imports: str) -> float:
    script = SCRIPT.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_a_workers_full_collection_copies_nothing_that_it_inherited() -> None:
    assert _growth("import common") < 0.25 * _growth("")
