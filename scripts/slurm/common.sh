# Read by the job scripts beside it: trains, and when the time is up requeues the job, which then
# goes on from its checkpoint.
#
# SLURM sends USR1 to the script (--signal=B:USR1@180); the script hands it to the launcher, which
# hands it to all ranks; they stop at the same step, rank 0 writes a checkpoint, and all end with
# 130. Needs a folder that all nodes see.

PDEHVD="${PDEHVD:-$SLURM_SUBMIT_DIR/.venv/bin/pdehvd}"
cd "$SLURM_SUBMIT_DIR"

# train_or_requeue FUNCTION CONFIG [OPTIONS]: the function becomes (exec) the launcher of
# `pdehvd train` with what follows, so that signals reach it.
train_or_requeue() {
    local start="$1" runs="runs/slurm-$SLURM_JOB_ID" code=0
    shift
    local words=("$@" --output "$runs")
    # A job that was requeued keeps its number, so its own newest run is below this folder.
    if compgen -G "$runs/latest/checkpoints/step-*" > /dev/null; then
        words+=(--resume "$runs/latest")
    fi
    "$start" "${words[@]}" &
    local launcher=$!
    trap 'kill -USR1 $launcher 2> /dev/null || true' USR1
    # A signal ends `wait` before the launcher has ended; only the second one has its exit code.
    while true; do
        code=0
        wait "$launcher" || code=$?
        kill -0 "$launcher" 2> /dev/null || break
    done
    if [ "$code" -eq 130 ]; then
        scontrol requeue "$SLURM_JOB_ID"
    fi
    return "$code"
}
