# Sourced by the commands of infra/: makes the virtual environment the first time, and again
# whenever the requirements changed. Needs Python 3.11 or newer and, for that once, a network.
UV_VERSION=0.13.9

_fail() { echo "tarsify: $*" >&2; exit 1; }

_python() {
  for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'
    then echo "$name"; return; fi
  done
  _fail "Python 3.11 or newer is needed and none was found on PATH"
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
