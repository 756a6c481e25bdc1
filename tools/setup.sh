#!/usr/bin/env bash
# tools/setup.sh VENV DEVICE: make the environment in the folder VENV, or bring it up to date.
# tools/setup.sh VENV ready: do nothing, and end well if there is nothing to do.
#
# DEVICE auto keeps the set of packages that VENV already holds; a new VENV gets the GPU set where
# there is a GPU that MXNet can use, otherwise the CPU set. cpu, gpu, cpu:0,1, gpu:0 force a set.
# VENV/.ready names the set and the requirement files of a finished installation: where it matches
# there is nothing to do, and where it is missing the installation was cut short and starts again.
set -euo pipefail
unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX  # each would install somewhere else

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${1:-.venv}
device=${2:-auto}
log=$venv/setup.log

trap 'echo "stopped; the same command begins it again" >&2; exit 130' INT TERM

fail() { echo "error: $*" >&2; exit 1; }

requirements() {
    case $1 in gpu) echo "$root/requirements.txt" ;; *) echo "$root/requirements-cpu.txt" ;; esac
}

stamp() {
    echo "$1 $(cat "$root/requirements-common.txt" "$root/constraints.txt" "$(requirements "$1")" | cksum)"
}

installed() {  # the set that a finished installation in VENV holds, if MXNet is still of that flavour
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
    *) fail "DEVICE=$device is not understood: give auto, cpu, gpu, or numbers as in cpu:0,1 or gpu:0." ;;
esac
if ready; then exit 0; fi
[ "$device" != ready ] || exit 1

# Two commands started at once in a new clone: the second waits for the first's environment.
exec 9<"$root/constraints.txt"
if command -v flock >/dev/null && ! flock -n 9; then
    echo "waiting for the installation that another command has begun" >&2
    flock 9
    if ready; then exit 0; fi
fi

if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
    fail "$venv holds something that is no Python environment: give another folder as VENV."
fi
set=$(installed) why=
if [ -z "$set" ] || { [ "$wanted" != auto ] && [ "$wanted" != "$set" ]; }; then
    found=$("$root/tools/find_python.sh")
    rm -rf "$venv"
    mkdir -p "$venv"
    touch "$venv/pyvenv.cfg"  # marks the folder as ours, should this be cut short
    tool=${found#* }
    case $found in
        newer\ *)
            echo "only a Python newer than 3.12 was found ($tool): getting 3.12 through uv" >&2
            { "$tool" -m venv "$venv/uv" && "$venv/uv/bin/python" -m pip install uv; } >"$log" 2>&1 ||
                fail "uv could not be installed; pip's own words are in $log." \
                     "An installed Python 3.10, 3.11 or 3.12 with its venv module would do."
            tool=$venv/uv/bin/uv ;;
    esac
    case $found in
        python\ *) "$tool" -m venv "$venv" >"$log" 2>&1 ;;
        # ensurepip, since uv's own --seed knows nothing of pip's settings for the network
        *) { "$tool" venv --allow-existing --python 3.12 "$venv" && "$venv/bin/python" -m ensurepip &&
             rm -rf "$venv/uv"; } >>"$log" 2>&1 ;;
    esac || fail "the environment $venv could not be made with $tool; its own words are in $log." \
              "An installed Python 3.10, 3.11 or 3.12 with its venv module would do."
    set=$wanted why="as asked"
    if [ "$set" = auto ]; then
        read -r set why <<<"$(PYTHONPATH=$root "$venv/bin/python" "$root/freqcnn_gluon/devices.py")"
        [ -n "$set" ] || fail "the search for a GPU failed: give DEVICE=cpu or DEVICE=gpu."
    fi
fi

size="190 MB to download, 1 GB on disk"
[ "$set" = cpu ] || size="2.5 GB to download, 5 GB on disk"
if [ -n "$why" ]; then
    echo "installing the ${set^^} set of packages ($why) into $venv: $size" >&2
else
    echo "bringing the ${set^^} set of packages in $venv up to date: its requirements have changed" >&2
fi

progress() {  # on a terminal, one line that follows pip
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
    fail "the packages could not be installed (most often: no network, or a full disk):" \
         "pip's own words are in $log."

# A slim system lacks libraries that MXNet needs. The GPU set is complete without a driver, yet cannot
# be loaded.
note=
if ! words=$(cd "$root" && "$(cd "$venv" && pwd)/bin/python" -c "import freqcnn_gluon, mxnet" 2>&1); then
    words=$(tail -n 1 <<<"$words")
    case $set:$words in
        gpu:*libcuda.so.1*) note=", but cannot be used on this machine, which has no NVIDIA driver" ;;
        *) fail "MXNet cannot be loaded ($words): install the system libraries libgomp1 and libquadmath0." ;;
    esac
fi
sync  # or a power cut could keep the stamp and lose packages
stamp "$set" >"$venv/.ready.new"
mv "$venv/.ready.new" "$venv/.ready"
echo "the ${set^^} environment $venv is ready$note" >&2
