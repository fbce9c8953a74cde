#!/bin/bash
# CPUs, started by srun. It must speak the PMI of the MPI that Horovod was built with:
# `srun --mpi=list` shows what there is; PDEHVD_MPI names another than pmix.
#
#   sbatch scripts/slurm/srun_cpu.sh configs/schrodinger.yaml
#
#SBATCH --job-name=pdehvd
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=4
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
source "${PDEHVD_SLURM:-$SLURM_SUBMIT_DIR/scripts/slurm}/common.sh"

start() {
    exec srun --mpi="${PDEHVD_MPI:-pmix}" --cpus-per-task="$SLURM_CPUS_PER_TASK" --cpu-bind=cores \
        "$PDEHVD" train "$@" --set "processes.threads=$SLURM_CPUS_PER_TASK"
}

train_or_requeue start "$@"
