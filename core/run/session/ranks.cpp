#include "run/session/ranks.h"

#include "run/own_library.h"

#include <cstdlib>

namespace lopt {

int ranks_on_this_machine() {
  const char* count = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  return count ? std::max(1, std::atoi(count)) : 1;
}

std::unique_ptr<Communicator> ranks_of_mpirun() {
  // Open MPI tells the processes that it starts how many they are.
  const char* count = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (!count || std::atoi(count) < 2) return nullptr;
  static const boost::dll::shared_library library = own_library("mpi", "this is run by mpirun");
  return std::unique_ptr<Communicator>(library.get<Communicator*()>("lopt_mpi_communicator")());
}

}  // namespace lopt
