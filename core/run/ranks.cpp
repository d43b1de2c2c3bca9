#include "run/ranks.h"

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <fmt/format.h>

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
  const auto file = boost::dll::program_location().parent_path().parent_path() / "lib/lopt/liblopt_mpi.so";
  try {
    // Never unloaded: MPI stays in the process once it is there.
    static const boost::dll::shared_library library(
        file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_global);
    return std::unique_ptr<Communicator>(library.get<Communicator*()>("lopt_mpi_communicator")());
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(fmt::format(
        "this is run by mpirun, but {} cannot be loaded: {}; lopt was built without MPI", file.string(), error.what()));
  }
}

}  // namespace lopt
