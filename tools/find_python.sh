#!/usr/bin/env bash
# Find a program that can make an environment with Python 3.10 to 3.12, and print two words:
#   python /usr/bin/python3.11   this interpreter can
#   uv /usr/bin/uv               there is no such interpreter, but uv can download one
#   newer /usr/bin/python3.13    there is only this newer interpreter, which can install uv
# Otherwise exit with 1 and one sentence that says what to install.
# SETUP_PYTHON names the interpreter to use instead of searching for one.
# Each candidate is run, because being on PATH is not enough: a pyenv shim can fail, and Debian's python3
# has no ensurepip until python3-venv is installed.
set -u
. "${0%"${0##*/}"}clean_environment.sh"  # in this script's folder, found without the program dirname

question='
import sys
version = sys.version_info[:2]
print("%d.%d" % version, end=" ")
try:
    import ensurepip, venv
except ImportError:
    print("bare")
else:
    # In a virtual environment, take the interpreter that it was made from: the environment may be deleted.
    print("ok" if (3, 10) <= version <= (3, 12) else "newer" if version > (3, 12) else "older",
          getattr(sys, "_base_executable", sys.executable))
'

newer= bare=
try() {  # try COMMAND: print it and exit if it is suitable, otherwise remember why it is not
    local version verdict path
    read -r version verdict path <<<"$("$1" -c "$question" 2>/dev/null)"
    case $verdict in
        ok) echo "python $path"; exit 0 ;;
        newer) newer=${newer:-$path} ;;
        bare) case $version in 3.1[0-2]) bare=${bare:-$version} ;; esac ;;
    esac
}

if [ -n "${SETUP_PYTHON-}" ]; then
    try "$SETUP_PYTHON"
    echo "error: SETUP_PYTHON=$SETUP_PYTHON is not a Python 3.10, 3.11 or 3.12 with its venv module." \
         "Name another one, or leave it empty." >&2
    exit 1
fi

IFS=: read -r -a folders <<<"$PATH"
for name in python3.11 python3.12 python3.10 python3 python python3.13 python3.14; do
    for folder in "${folders[@]}"; do
        if [ -x "$folder/$name" ] && [ ! -d "$folder/$name" ]; then try "$folder/$name"; fi
    done
done
for path in "${PYENV_ROOT:-${HOME-}/.pyenv}"/versions/3.1[0-2].*/bin/python \
            "${UV_PYTHON_INSTALL_DIR:-${HOME-}/.local/share/uv/python}"/cpython-3.1[0-2].*/bin/python3; do
    if [ -x "$path" ]; then try "$path"; fi
done

if uv=$(command -v uv) && uv --version >/dev/null 2>&1; then echo "uv $uv"; exit 0; fi
if [ -n "$newer" ]; then echo "newer $newer"; exit 0; fi
if [ -n "$bare" ]; then
    echo "error: Python $bare lacks its venv module. Install it" \
         "(Debian and Ubuntu: apt install python$bare-venv) and try again." >&2
else
    echo "error: MXNet needs Python 3.10, 3.11 or 3.12, and there is none. Install one with its venv module" \
         "(Debian and Ubuntu: apt install python3.11 python3.11-venv), or install uv, and try again." >&2
fi
exit 1
