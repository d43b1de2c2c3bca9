#pragma once
#include "estimate/collectives.h"

namespace lopt {

/// The ranks among which mpirun started this process; null without mpirun, or with one rank. What speaks MPI is a
/// library of its own (liblopt_mpi.so), which is loaded here and nowhere else. Throws std::runtime_error where it is
/// not there.
std::unique_ptr<Communicator> ranks_of_mpirun();

/// How many of mpirun's processes are on this machine: they share its processors. 1 without mpirun.
int ranks_on_this_machine();

}  // namespace lopt
