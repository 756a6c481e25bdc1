#!/usr/bin/env bash
# tools/doctor.sh VENV DATA RESULTS: run tools/doctor.py with the environment's Python, or any suitable one.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
python=$1/bin/python
if [ ! -x "$python" ]; then
    found=$("$tools/find_python.sh")
    python=${found#* }
    case $found in uv\ *) echo "ok     there is no Python 3.10 to 3.12, but uv can download one: run \`make setup\`"; exit 0 ;; esac
fi
exec "$python" "$tools/doctor.py" "$@"
