#!/bin/bash
# GPUs, one for each process, started by mpirun inside the allocation; sums go over NCCL.
#
#   sbatch scripts/slurm/mpirun_gpu.sh configs/poisson_kl_256.yaml
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
    # The variables reach the ranks of other nodes only where mpirun is told to hand them on.
    exec mpirun -np "$SLURM_NTASKS" --map-by "ppr:$SLURM_NTASKS_PER_NODE:node:PE=$SLURM_CPUS_PER_TASK" \
        --bind-to core -x NCCL_DEBUG="${NCCL_DEBUG:-WARN}" \
        "$PDEHVD" train "$@" --set "processes.threads=$SLURM_CPUS_PER_TASK"
}

train_or_requeue start "$@"
