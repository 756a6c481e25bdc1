# Sourced by the scripts: undo what a shell's start files, a cluster's modules or conda have exported and what would
# change how these scripts, Python and pip work. tools/doctor.py names what it finds before.
# With CDPATH, `cd` prints the folder that it enters. BASH_ENV would run a file at the start of each script.
unset CDPATH GREP_OPTIONS BASH_ENV ENV GLOBIGNORE POSIXLY_CORRECT
unset PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSAFEPATH PYTHONINSPECT PYTHONSTARTUP PYTHONPLATLIBDIR \
    PYTHONEXECUTABLE PYTHONHASHSEED PYTHONCASEOK PYTHONUSERBASE PYTHONDEVMODE PYTHONVERBOSE
unset -f $(compgen -A function)  # an exported function could replace cd, cat or python
# Of pip's settings, keep those of the network and the cache. Others install elsewhere, less or nothing.
for name in ${!PIP_@}; do
    case $name in
        PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_NO_INDEX | PIP_FIND_LINKS | PIP_CONFIG_FILE | PIP_PROXY) ;;
        PIP_CERT | PIP_CLIENT_CERT | PIP_TRUSTED_HOST | PIP_KEYRING_PROVIDER | PIP_USE_FEATURE) ;;
        PIP_DEFAULT_TIMEOUT | PIP_TIMEOUT | PIP_RETRIES | PIP_RESUME_RETRIES | PIP_CACHE_DIR | PIP_NO_CACHE_DIR) ;;
        *) unset "$name" ;;
    esac
done
export PIP_USER=0  # also against pip's configuration file
unset name
if [ ! -w "${TMPDIR:-/tmp}" ]; then unset TMPDIR; fi
