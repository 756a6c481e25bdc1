#!/usr/bin/env bash
# tools/setup.sh VENV DEVICE: make the environment in the folder VENV, or bring it up to date.
# tools/setup.sh VENV ready: change nothing; exit with 0 if VENV is up to date, otherwise with 1.
#
# DEVICE=auto keeps the set of packages that VENV already holds. A new VENV gets the GPU set if there
# is a GPU that MXNet supports, otherwise the CPU set. cpu, gpu, cpu:0,1 and gpu:0 force a set.
# VENV/.ready names the set and the requirement files of a finished installation. If it matches, there
# is nothing to do. If it is missing, an installation was interrupted, and it starts again.
set -euo pipefail
. "$(dirname "$0")/clean_environment.sh"

root=$(cd -- "$(dirname "$0")/.." >/dev/null && pwd)
venv=${1:-.venv}
device=${2:-auto}
log=$venv/setup.log

trap 'echo "interrupted; the same command starts the installation again" >&2; exit 130' INT TERM

fail() { echo "error: $*" >&2; exit 1; }

requirements() {
    case $1 in gpu) echo "$root/requirements.txt" ;; *) echo "$root/requirements-cpu.txt" ;; esac
}

stamp() {
    echo "$1 $(cat "$root/requirements-common.txt" "$root/constraints.txt" "$(requirements "$1")" | cksum)"
}

installed() {  # print the set that VENV holds, if its installation finished and MXNet is still of that set
    local set cpu gpu
    [ -x "$venv/bin/python" ] && read -r set _ 2>/dev/null <"$venv/.ready" || return 0
    cpu=$(compgen -G "$venv/lib/python3*/site-packages/mxnet-*.dist-info" || true)
    gpu=$(compgen -G "$venv/lib/python3*/site-packages/mxnet_cu112-*.dist-info" || true)
    case $set:${cpu:+cpu}${gpu:+gpu} in cpu:cpu | gpu:gpu) echo "$set" ;; esac
}

ready() {
    local set=$wanted
    [ "$set" != auto ] || set=$(installed)
    [ -n "$set" ] && [ "$(installed)" = "$set" ] && [ "$(stamp "$set")" = "$(cat "$venv/.ready")" ]
}

case $device in
    auto | ready) wanted=auto ;;
    cpu | cpu:*) wanted=cpu ;;
    gpu | gpu:*) wanted=gpu ;;
    *) fail "DEVICE=$device: unknown device. Use auto, cpu, gpu, or numbers as in cpu:0,1 or gpu:0." ;;
esac
if ready; then exit 0; fi
[ "$device" != ready ] || exit 1

# If two commands start at once in a new clone, the second waits until the first has made the environment.
exec 9<"$root/constraints.txt"
if command -v flock >/dev/null && ! flock -n 9; then
    echo "waiting for another command to finish the installation" >&2
    flock 9
    if ready; then exit 0; fi
fi

if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
    fail "$venv: contains files, but not a Python environment. Name another folder with VENV=."
fi
set=$(installed) why=
if [ -z "$set" ] || { [ "$wanted" != auto ] && [ "$wanted" != "$set" ]; }; then
    found=$("$root/tools/find_python.sh")
    rm -rf "$venv"
    mkdir -p "$venv"
    touch "$venv/pyvenv.cfg"  # marks the folder as ours, even if this script is interrupted
    tool=${found#* }
    case $found in
        newer\ *)
            echo "the only Python here is newer than 3.12 ($tool): installing 3.12 with uv" >&2
            { "$tool" -m venv "$venv/uv" && "$venv/uv/bin/python" -m pip install uv; } >"$log" 2>&1 ||
                fail "cannot install uv; see pip's output in $log." \
                     "Or install Python 3.10, 3.11 or 3.12 with its venv module."
            tool=$venv/uv/bin/uv ;;
    esac
    case $found in
        python\ *) "$tool" -m venv "$venv" >"$log" 2>&1 ;;
        # ensurepip instead of uv's --seed, because --seed ignores pip's network settings
        *) { "$tool" venv --allow-existing --python 3.12 "$venv" && "$venv/bin/python" -m ensurepip &&
             rm -rf "$venv/uv"; } >>"$log" 2>&1 ;;
    esac || fail "$venv: $tool cannot create the environment; see its output in $log." \
              "Or install Python 3.10, 3.11 or 3.12 with its venv module."
    set=$wanted why="as requested"
    if [ "$set" = auto ]; then
        read -r set why <<<"$(PYTHONPATH=$root "$venv/bin/python" "$root/freqcnn_gluon/devices.py")"
        [ -n "$set" ] || fail "the search for a GPU failed. Use DEVICE=cpu or DEVICE=gpu."
    fi
fi

size="190 MB to download, 1 GB on disk"
[ "$set" = cpu ] || size="2.5 GB to download, 5 GB on disk"
if [ -n "$why" ]; then
    echo "installing the ${set^^} packages ($why) into $venv: $size" >&2
else
    echo "updating the ${set^^} packages in $venv, because the requirements have changed" >&2
fi

progress() {  # show pip's progress in one line, on a terminal only
    local line count=0
    while IFS= read -r line; do
        case $line in
            Collecting*) count=$((count + 1)) line=${line%% (from*} ;;
            *Downloading* | Installing*) ;;
            *) continue ;;
        esac
        if [ -t 2 ]; then printf '\r\033[K%.78s' "$count packages: ${line# }" >&2; fi
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

rm -f "$venv/.ready"
"$venv/bin/python" -m pip install --no-input --progress-bar off -r "$(requirements "$set")" 2>&1 |
    tee "$log" | progress ||
    fail "cannot install the packages, most often because there is no network or the disk is full;" \
         "see pip's output in $log."

# Slim systems lack libraries that MXNet needs. The GPU packages can be installed without a driver, but
# MXNet cannot be loaded from them.
note=
if ! words=$(cd "$root" && "$(cd -- "$venv" >/dev/null && pwd)/bin/python" -c "import freqcnn_gluon, mxnet" 2>&1); then
    words=$(tail -n 1 <<<"$words")
    case $set:$words in
        gpu:*libcuda.so.1*) note=", but this machine cannot use it, because it has no NVIDIA driver" ;;
        *) fail "MXNet cannot be loaded ($words). Install the system libraries libgomp1 and libquadmath0." ;;
    esac
fi
sync  # so that a power cut cannot lose packages and keep the file that says all are there
stamp "$set" >"$venv/.ready.new"
mv "$venv/.ready.new" "$venv/.ready"
echo "the ${set^^} environment $venv is ready$note" >&2
