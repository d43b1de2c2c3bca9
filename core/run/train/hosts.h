#pragma once
// The machines that --hosts names, and how mpirun is told of those that answer.

#include <string>
#include <vector>

namespace lopt {

struct Host {
  std::string name;
  int slots = 1;  // ranks
};

/// What this machine calls itself; "unknown" where it does not say.
std::string own_host_name();
/// Of `a:8,b:8`, or of a file with a line `a slots=8` (or `a:8`, or `a`) for each. Throws UsageError.
std::vector<Host> hosts_of(const std::string& list_or_file);
/// Those that run a command when they are asked to, by the agent that mpirun would use: OMPI_MCA_plm_rsh_agent, or ssh.
/// Says which do not. Throws std::runtime_error where none does.
std::vector<Host> hosts_that_answer(const std::vector<Host>& hosts);
/// mpirun on these.
std::vector<std::string> mpirun_on(const std::vector<Host>& hosts);

}  // namespace lopt
