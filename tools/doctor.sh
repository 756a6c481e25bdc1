#!/usr/bin/env bash
# tools/doctor.sh VENV DATA RESULTS [NAME ...]: run tools/doctor.py with the environment's Python, or any suitable one.
# The NAMEs are variables of the Makefile that come from the environment.
set -euo pipefail
tools=$(unset CDPATH; cd -- "$(dirname "$0")" >/dev/null && pwd)
python=$1/bin/python
if [ ! -x "$python" ]; then
    found=$("$tools/find_python.sh")
    python=${found#* }
    case $found in uv\ *) echo "ok     there is no Python 3.10 to 3.12, but uv can download one: run \`make setup\`"; exit 0 ;; esac
fi
# -I ignores PYTHONPATH, PYTHONHOME and their like, which the doctor has to name.
exec "$python" -I "$tools/doctor.py" "$@"
