#include "report/run_folder.h"

#include <limits>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace lopt {

namespace fs = std::filesystem;

RunFolder RunFolder::make(const std::string& wanted, const std::string& name) {
  std::error_code error;
  RunFolder folder(wanted);
  std::string& path = folder.path_;
  if (!wanted.empty()) {
    if (fs::exists(path, error) && (!fs::is_directory(path, error) || !fs::is_empty(path, error)))
      throw FolderError(fmt::format(
          "{}: is there already and not an empty folder; runs are never overwritten, choose another --out", path));
    folder.made_ = fs::create_directories(path, error);
    if (error) throw FolderError(fmt::format("{}: the run's folder cannot be made: {}", path, error.message()));
  } else {
    fs::create_directories("runs", error);
    const std::string base = fmt::format("runs/{:%Y-%m-%d-%H%M%S}-{}", fmt::localtime(std::time(nullptr)), name);
    path = base;
    for (int number = 2; !error && !(folder.made_ = fs::create_directory(path, error)); ++number)
      path = fmt::format("{}-{}", base, number);
    if (error)
      throw FolderError(
          fmt::format("{}: the run's folder cannot be made: {}; --out chooses another", path, error.message()));
  }
  if (::access(path.c_str(), W_OK) != 0)
    throw FolderError(fmt::format("{}: the run's folder cannot be written to: {}", path, std::strerror(errno)));
  folder.lock();
  return folder;
}

void RunFolder::expect(const std::string& path) {
  for (const char* file : {"spec.yaml", "run.json"})
    if (!fs::exists(path + "/" + file))
      throw FolderError(fmt::format("{}: is no folder of a run: it has no {}", path, file));
}

RunFolder RunFolder::open(const std::string& path) {
  expect(path);
  RunFolder folder(path);
  folder.lock();
  return folder;
}

void RunFolder::lock() {
  lock_ = std::make_unique<FolderLock>(path_);
  if (!lock_->note().empty()) fmt::print(stderr, "lopt-run: {}\n", lock_->note());
}

void RunFolder::write_json(const std::string& name, const Json& json) const { write(name, to_text(json, 2) + "\n"); }

void RunFolder::begin_metrics(std::size_t size) {
  metrics_.reset();
  metrics_ = std::make_unique<LineFile>(file("metrics.jsonl"), size);
}

namespace {
/// Checkpoints of a folder, the newest first.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".checkpoint") files.push_back(entry.path());
  std::sort(files.rbegin(), files.rend());
  return files;
}
}  // namespace

void RunFolder::write_checkpoint(int step, const Checkpoint& checkpoint, int keep) const {
  const fs::path folder = file("checkpoints");
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) throw std::runtime_error(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  write_durably(fmt::format("{}/step-{:010}.checkpoint", folder.string(), step),
                [&](const auto& put) { encode_checkpoint(checkpoint, put); });
  const std::vector<fs::path> files = checkpoints_in(folder);
  if (files.size() <= static_cast<std::size_t>(keep)) return;
  for (std::size_t i = static_cast<std::size_t>(keep); i < files.size(); ++i) fs::remove(files[i], error);
  remove_logs_outside(path_, step_of(files[static_cast<std::size_t>(keep) - 1]), std::numeric_limits<int>::max());
}

std::optional<Checkpoint> RunFolder::checkpoint_before(const std::string& path, int step) {
  for (const fs::path& file : checkpoints_in(path + "/checkpoints")) {
    std::ifstream stream(file, std::ios::binary);
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(stream), {}};
    try {
      Checkpoint checkpoint = decode_checkpoint(bytes, file.string());
      if (checkpoint.facts.value("step", step + 1) <= step) return checkpoint;
    } catch (const DataError&) {
      continue;  // an older one does as well
    }
  }
  return std::nullopt;
}

std::optional<Checkpoint> RunFolder::newest_checkpoint(std::vector<std::string>& damaged) const {
  for (const fs::path& path : checkpoints_in(file("checkpoints"))) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    try {
      return decode_checkpoint(bytes, path.string());
    } catch (const DataError& error) {
      damaged.emplace_back(error.what());
    }
  }
  return std::nullopt;
}

void RunFolder::discard() {
  std::error_code ignored;
  metrics_.reset();
  if (made_) fs::remove_all(path_, ignored);
}

}  // namespace lopt
