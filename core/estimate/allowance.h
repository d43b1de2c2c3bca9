#pragma once
// What this process may take of the machine: not all of it in a container, in a job of a batch system, or under
// taskset.

#include <cstddef>
#include <string>

namespace lopt {

struct ThreadAllowance {
  int threads = 1;
  std::string why;  // "2 processors by affinity", "a cgroup's quota of 1.5 processors"
};

/// The least of the processors that the process may run on (affinity: taskset, Slurm, cpusets) and the quota of its
/// cgroup and of those above (v1 and v2), rounded up: half a processor's time is used by a thread that waits now and
/// then. `root` stands before /proc and /sys, for tests.
ThreadAllowance allowed_threads(const std::string& root = "");

/// Bytes that can still be taken: the least of what is free without swapping, of what the cgroups leave (cache that the
/// kernel can drop counted as free), and of `ulimit -v`. 0 where nothing says.
std::size_t allowed_memory(const std::string& root = "");

/// Throws ShapeError with a sentence if this many bytes are more than may be taken. `what` needs them.
void require_memory(std::size_t bytes, const std::string& what);

}  // namespace lopt
