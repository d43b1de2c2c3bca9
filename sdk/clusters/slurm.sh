#!/bin/bash
#SBATCH --job-name=pes
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
# A meta-training on four nodes, a rank a socket with 16 threads each. Where a rank dies, supervise goes on from the last
# step; where a node dies or the time is over, Slurm puts the job back into its queue, and it goes on then.
# usage: sbatch sdk/clusters/slurm.sh SPEC.yaml RUN_FOLDER   (a folder that all nodes see)
set -u
spec=${1:-pes.yaml} run=${2:-$SLURM_SUBMIT_DIR/runs/pes}

lopt-run supervise -- mpirun --map-by ppr:1:socket:PE=16 \
  lopt-run train "$spec" 'checkpoint.every=1 step' --out "$run" --threads 16 -q &
job=$!
# Two minutes before the end: a checkpoint, and another turn.
trap 'kill -TERM $job; wait $job; scontrol requeue "$SLURM_JOB_ID"' TERM
wait $job
