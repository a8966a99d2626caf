# Sourced by the commands of infra/: makes the virtual environment the first time, and again
# whenever the requirements changed. Needs Python 3.11 or newer and, for that once, a network.
UV_VERSION=0.13.9

# Where a release's first steps lay what no package brings (infra/release/terraform).
PATH="$PWD/.tools:$PATH"

_fail() { echo "tarsify: $*" >&2; exit 1; }

_python() {
  for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'
    then echo "$name"; return; fi
  done
  _fail "Python 3.11 or newer is needed and none was found on PATH"
}

# What tests write is thrown away: in memory their databases are made in a third of the time.
# Where there is little memory, or somebody has chosen a place (TMPDIR), nothing is done.
work_in_memory() {
  local memory=/dev/shm room
  find "$memory" -maxdepth 1 -name 'tarsify-tests.*' -mtime +0 -exec rm -rf {} + 2>/dev/null || true
  room=$( { df -Pk "$memory" | awk 'NR == 2 {print $4}'
            awk '/^MemAvailable:/ {print $2}' /proc/meminfo; } 2>/dev/null | sort -n | head -1) || true
  if [ -n "${TMPDIR:-}" ] || [ "${room:-0}" -lt $((8 * 1024 * 1024)) ]; then return; fi
  TMPDIR=$(mktemp -d "$memory/tarsify-tests.XXXXXX")
  chmod 755 "$TMPDIR" # PostgreSQL runs as another user where tests run as root
  export TMPDIR
  trap 'rm -rf "$TMPDIR"' EXIT
}

prepare_environment() {
  local wanted
  wanted=$(cat requirements-dev.txt | sha256sum | cut -d' ' -f1)
  if [ "$(cat .venv/.requirements 2>/dev/null)" = "$wanted" ]; then return; fi
  echo "tarsify: installing what is needed into .venv (once) ..." >&2
  [ -x .venv/bin/python ] || "$(_python)" -m venv .venv || _fail "could not make .venv"
  [ -x .venv/bin/uv ] || .venv/bin/python -m pip install -q "uv==$UV_VERSION" \
    || _fail "could not install uv: is there a network? It is needed the first time only"
  .venv/bin/uv pip install -q --python .venv/bin/python -r requirements-dev.txt \
    || _fail "could not install the requirements: is there a network? It is needed the first time only"
  echo "$wanted" > .venv/.requirements
}
