// What a container, a batch system or taskset leaves of the machine: made-up /proc and /sys.
#include "estimate/allowance.h"

#include "catch.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace lopt;
namespace fs = std::filesystem;

namespace {

class Machine {
 public:
  Machine() : root_(fs::temp_directory_path() / ("lopt-machine-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
    file("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n");
  }
  ~Machine() { fs::remove_all(root_); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  void file(const std::string& name, const std::string& content) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << content;
  }
  std::string root() const { return root_.string(); }

 private:
  fs::path root_;
};

int processors() {
  cpu_set_t set;
  REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
  return CPU_COUNT(&set);
}

}  // namespace

TEST_CASE("threads: the tightest quota of the cgroups above, of version 2") {
  const Machine machine;
  machine.file("proc/self/cgroup", "0::/job/step\n");
  machine.file("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
  CHECK(allowed_threads(machine.root()).threads == processors());
  machine.file("sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
  CHECK(allowed_threads(machine.root()).threads == processors());
  machine.file("sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  const ThreadAllowance one = allowed_threads(machine.root());
  CHECK(one.threads == 1);
  if (processors() > 1) CHECK(one.why == "a cgroup's quota of 1 processors");
  machine.file("sys/fs/cgroup/job/step/cpu.max", "50000 100000\n");
  CHECK(allowed_threads(machine.root()).threads == 1);
  machine.file("sys/fs/cgroup/job/cpu.max", "150000 100000\n");
  machine.file("sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
  CHECK(allowed_threads(machine.root()).threads == std::min(2, processors()));
}

TEST_CASE("threads: a quota of version 1, where a container sees only its own group") {
  const Machine machine;
  machine.file("proc/self/cgroup", "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n");
  machine.file("proc/self/mountinfo", "31 23 0:27 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  CHECK(allowed_threads(machine.root()).threads == processors());
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "80000\n");
  CHECK(allowed_threads(machine.root()).threads == 1);
}

TEST_CASE("threads: affinity") {
  int threads = 0;
  std::string why;
  std::thread([&] {  // affinity is a thread's
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    for (int i = 0, kept = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set) && kept++ > 0) CPU_CLR(i, &set);
    REQUIRE(::sched_setaffinity(0, sizeof set, &set) == 0);
    const ThreadAllowance allowance = allowed_threads();
    threads = allowance.threads;
    why = allowance.why;
  })
      .join();
  CHECK(threads == 1);
  CHECK(why == "1 processor by affinity");
}

TEST_CASE("memory: the least of what is free, of the cgroups' limits and of ulimit -v") {
  const Machine machine;
  CHECK(allowed_memory(machine.root()) == std::size_t{8000000} * 1024);
  machine.file("proc/self/cgroup", "0::/job/step\n");
  machine.file("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  machine.file("sys/fs/cgroup/job/step/memory.max", "max\n");
  machine.file("sys/fs/cgroup/job/memory.max", "1000000000\n");
  machine.file("sys/fs/cgroup/job/memory.current", "600000000\n");
  CHECK(allowed_memory(machine.root()) == 400000000);
  machine.file("sys/fs/cgroup/job/memory.stat", "anon 5\ninactive_file 100000000\n");  // the kernel gives it up
  CHECK(allowed_memory(machine.root()) == 500000000);
  const Machine old;
  old.file("proc/self/cgroup", "4:memory:/job\n");
  old.file("proc/self/mountinfo", "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  old.file("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "300000000\n");
  old.file("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "100000000\n");
  CHECK(allowed_memory(old.root()) == 200000000);

  rlimit before{}, limit{};
  REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
  limit = before;
  limit.rlim_cur = std::size_t{1} << 60U;  // more than there is, less than infinity
  REQUIRE(::setrlimit(RLIMIT_AS, &limit) == 0);
  CHECK(allowed_memory(old.root()) == 200000000);
  CHECK(::setrlimit(RLIMIT_AS, &before) == 0);
}
