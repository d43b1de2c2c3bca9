#!/bin/bash
#PBS -N pes
#PBS -l select=4:ncpus=32:mpiprocs=2:ompthreads=16
#PBS -l walltime=04:00:00
#PBS -r y
#PBS -j oe
# A meta-training on four nodes, two ranks each with 16 threads. Where a rank dies, supervise goes on from the last step;
# where a node dies, PBS runs the job again (-r y). Before its time is over it keeps a checkpoint and hands in its
# successor.
# usage: qsub -v SPEC=pes.yaml,RUN=runs/pes sdk/clusters/pbs.sh   (folders that all nodes see)
set -u
cd "$PBS_O_WORKDIR" || exit 1
spec=${SPEC:-pes.yaml} run=${RUN:-runs/pes}

lopt-run supervise -- mpirun --hostfile "$PBS_NODEFILE" --bind-to none \
  lopt-run train "$spec" 'checkpoint.every=1 step' --out "$run" --threads 16 -q &
job=$!
again() {
  kill -TERM "$job"
  wait "$job"
  qsub -v "SPEC=$spec,RUN=$run" sdk/clusters/pbs.sh
  exit 0
}
trap again TERM
wait "$job"
