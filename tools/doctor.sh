#!/usr/bin/env bash
# tools/doctor.sh VENV DATA RESULTS: run tools/doctor.py by the environment's Python or any other that serves.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
python=$1/bin/python
if [ ! -x "$python" ]; then
    found=$("$tools/find_python.sh")
    python=${found#* }
    case $found in uv\ *) echo "ok     there is no Python 3.10 to 3.12, and uv fetches one: run \`make setup\`"; exit 0 ;; esac
fi
exec "$python" "$tools/doctor.py" "$@"
