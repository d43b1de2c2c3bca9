#include "estimate/allowance.h"

#include <lopt/tensor.h>

#include <fmt/format.h>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace lopt {
namespace {

namespace fs = std::filesystem;

/// Folders of this process's cgroup and of those above it that a controller ("cpu", "memory") is limited by.
struct Groups {
  std::vector<fs::path> v1, v2;
};

bool has_word(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string w; std::getline(words, w, ',');)
    if (w == word) return true;
  return false;
}

/// The group's path where a hierarchy is mounted, and all above it: `mount` shows what lies under `shown`.
std::vector<fs::path> folders_above(const fs::path& mount, const std::string& shown, const std::string& group) {
  std::string below = group;
  if (shown != "/") below = group.starts_with(shown) ? group.substr(shown.size()) : "";
  std::vector<fs::path> folders;
  for (fs::path path = (mount / below.substr(std::min(below.find_first_not_of('/'), below.size()))).lexically_normal();;
       path = path.parent_path()) {
    folders.push_back(path);
    if (path == mount || !path.has_relative_path()) return folders;
  }
}

Groups groups_of(const std::string& root, const std::string& controller) {
  Groups result;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // id, parent, device, root, mount point, options, …, "-", type, source, options of the file system
    std::istringstream before(line.substr(0, line.find(" - "))),
        after(line.substr(std::min(line.find(" - "), line.size())));
    std::string id, parent, device, shown, mount, dash, type, source, options;
    before >> id >> parent >> device >> shown >> mount;
    after >> dash >> type >> source >> options;
    const bool v2 = type == "cgroup2";
    if (!v2 && !(type == "cgroup" && has_word(options, controller))) continue;
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string group; std::getline(groups, group);) {
      const std::size_t first = group.find(':'), second = group.find(':', first + 1);
      if (second == std::string::npos) continue;
      const std::string controllers = group.substr(first + 1, second - first - 1);
      if (v2 ? !controllers.empty() : !has_word(controllers, controller)) continue;
      for (fs::path& folder : folders_above(root + mount, shown, group.substr(second + 1)))
        (v2 ? result.v2 : result.v1).push_back(std::move(folder));
    }
  }
  return result;
}

/// The first number of a file; nothing where there is none ("max", or no file).
std::optional<double> number_in(const fs::path& file) {
  std::ifstream stream(file);
  double number = 0;
  if (stream >> number) return number;
  return std::nullopt;
}
/// The number behind a word at the start of a line.
double number_after(const fs::path& file, const std::string& word) {
  std::ifstream stream(file);
  std::string name;
  double number = 0;
  for (std::string rest; stream >> name >> number; std::getline(stream, rest))
    if (name == word) return number;
  return 0;
}

/// Processors' worth of time that the tightest cgroup allows.
std::optional<double> processor_quota(const std::string& root) {
  const Groups groups = groups_of(root, "cpu");
  std::optional<double> least;
  const auto take = [&](std::optional<double> quota, std::optional<double> period) {
    if (quota && period && *quota > 0 && *period > 0) least = std::min(least.value_or(1e9), *quota / *period);
  };
  for (const fs::path& folder : groups.v2) {
    std::ifstream file(folder / "cpu.max");
    double quota = 0, period = 0;
    if (file >> quota >> period) take(quota, period);
  }
  for (const fs::path& folder : groups.v1)
    take(number_in(folder / "cpu.cfs_quota_us"), number_in(folder / "cpu.cfs_period_us"));
  return least;
}

/// Bytes that the tightest cgroup leaves.
std::optional<double> memory_left(const std::string& root) {
  const Groups groups = groups_of(root, "memory");
  std::optional<double> least;
  const auto take = [&](const fs::path& folder, const char* limit, const char* usage, const char* cache) {
    const std::optional<double> most = number_in(folder / limit), used = number_in(folder / usage);
    if (!most || !used) return;
    const double left = *most - *used + number_after(folder / "memory.stat", cache);
    least = std::min(least.value_or(left), std::max(left, 0.0));
  };
  for (const fs::path& folder : groups.v2) take(folder, "memory.max", "memory.current", "inactive_file");
  for (const fs::path& folder : groups.v1)
    take(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
  return least;
}

int processors_by_affinity() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

ThreadAllowance allowed_threads(const std::string& root) {
  const int processors = processors_by_affinity();
  const std::optional<double> quota = processor_quota(root);
  if (quota && std::ceil(*quota) < processors)
    return {std::max(1, static_cast<int>(std::ceil(*quota))),
            fmt::format("a cgroup's quota of {:.4g} processors", *quota)};
  return {processors, fmt::format("{} processor{} by affinity", processors, processors == 1 ? "" : "s")};
}

std::size_t allowed_memory(const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  if (const double free = number_after(root + "/proc/meminfo", "MemAvailable:"); free > 0) least = free * 1024;
  if (const std::optional<double> left = memory_left(root)) least = std::min(least, *left);
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const double used = number_in("/proc/self/statm").value_or(0) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    least = std::min(least, std::max(static_cast<double>(limit.rlim_cur) - used, 1.0));
  }
  return std::isfinite(least) ? static_cast<std::size_t>(std::max(least, 1.0)) : 0;
}

void require_memory(std::size_t bytes, const std::string& what) {
  constexpr std::size_t never_too_much = std::size_t{64} << 20U;
  if (bytes < never_too_much) return;
  const std::size_t available = allowed_memory();
  if (available == 0 || bytes <= available) return;
  constexpr double gigabyte = 1e9;
  throw ShapeError(fmt::format("{} need about {:.1f} GB of memory, and {:.1f} GB are free for this process", what,
                               static_cast<double>(bytes) / gigabyte, static_cast<double>(available) / gigabyte));
}

}  // namespace lopt
