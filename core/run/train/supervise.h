#pragma once
#include <string>

namespace lopt {

/// Runs `lopt-run ARGUMENTS`, which have a --hosts among them, by mpirun on those hosts, and begins it again as often
/// as it dies and has come further. Returns its exit code; throws UsageError.
int run_on_hosts(const std::string& hosts, int argc, char** argv);

}  // namespace lopt
