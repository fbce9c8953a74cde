#!/bin/bash
# GPUs, one for each process, started by srun. All tasks of a node see all of its GPUs, and each
# takes the one of its rank there: --gpus-per-task would hide the others from NCCL.
#
#   sbatch scripts/slurm/srun_gpu.sh configs/poisson_kl_256.yaml
#
#SBATCH --job-name=pdehvd
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
source "${PDEHVD_SLURM:-$SLURM_SUBMIT_DIR/scripts/slurm}/common.sh"

start() {
    export NCCL_DEBUG="${NCCL_DEBUG:-WARN}"
    exec srun --mpi="${PDEHVD_MPI:-pmix}" \
        --cpus-per-task="$SLURM_CPUS_PER_TASK" --cpu-bind=cores \
        "$PDEHVD" train "$@" --set "processes.threads=$SLURM_CPUS_PER_TASK"
}

train_or_requeue start "$@"
