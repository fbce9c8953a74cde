#!/bin/bash
# CPUs, started by mpirun inside the allocation (an Open MPI that knows SLURM finds the nodes).
#
#   sbatch scripts/slurm/mpirun_cpu.sh configs/schrodinger.yaml
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
    exec mpirun -np "$SLURM_NTASKS" --map-by "ppr:$SLURM_NTASKS_PER_NODE:node:PE=$SLURM_CPUS_PER_TASK" \
        --bind-to core "$PDEHVD" train "$@" --set "processes.threads=$SLURM_CPUS_PER_TASK"
}

train_or_requeue start "$@"
