#include "report/run_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace lopt {

namespace fs = std::filesystem;

RunFolder::RunFolder(const std::string& wanted, const std::string& name) {
  std::error_code error;
  if (!wanted.empty()) {
    path_ = wanted;
    if (fs::exists(path_, error) && (!fs::is_directory(path_, error) || !fs::is_empty(path_, error)))
      throw FolderError(fmt::format(
          "{}: is there already and not an empty folder; runs are never overwritten, choose another --out", path_));
    made_ = fs::create_directories(path_, error);
    if (error) throw FolderError(fmt::format("{}: the run's folder cannot be made: {}", path_, error.message()));
  } else {
    fs::create_directories("runs", error);
    const std::string base = fmt::format("runs/{:%Y-%m-%d-%H%M%S}-{}", fmt::localtime(std::time(nullptr)), name);
    path_ = base;
    for (int number = 2; !error && !(made_ = fs::create_directory(path_, error)); ++number)
      path_ = fmt::format("{}-{}", base, number);
    if (error)
      throw FolderError(
          fmt::format("{}: the run's folder cannot be made: {}; --out chooses another", path_, error.message()));
  }
  if (::access(path_.c_str(), W_OK) != 0)
    throw FolderError(fmt::format("{}: the run's folder cannot be written to: {}", path_, std::strerror(errno)));
}

void write_file(const std::string& path, const std::string& content) {
  const std::string partial = path + ".partial";
  std::FILE* file = std::fopen(partial.c_str(), "wb");
  bool good = file && std::fwrite(content.data(), 1, content.size(), file) == content.size();
  int code = errno;
  if (file && std::fclose(file) != 0) {
    if (good) code = errno;
    good = false;
  }
  std::error_code error;
  if (good) {
    fs::rename(partial, path, error);
    if (!error) return;
    code = error.value();
  }
  fs::remove(partial, error);
  throw std::runtime_error(fmt::format("cannot write {}: {}", path, std::strerror(code)));
}

void RunFolder::write(const std::string& name, const std::string& content) const { write_file(file(name), content); }
void RunFolder::write_json(const std::string& name, const nlohmann::ordered_json& json) const {
  write(name, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void RunFolder::add_metrics(const nlohmann::ordered_json& json) {
  if (!metrics_) metrics_.reset(std::fopen(file("metrics.jsonl").c_str(), "wb"));
  const std::string line = json.dump() + "\n";
  if (metrics_ && std::fwrite(line.data(), 1, line.size(), metrics_.get()) == line.size() &&
      std::fflush(metrics_.get()) == 0) {
    metrics_size_ += static_cast<long>(line.size());
    return;
  }
  const std::string why = std::strerror(errno);
  metrics_.reset();
  static_cast<void>(::truncate(file("metrics.jsonl").c_str(), metrics_size_) == 0);
  throw std::runtime_error(fmt::format("cannot write {}: {}", file("metrics.jsonl"), why));
}

void RunFolder::discard() {
  std::error_code ignored;
  metrics_.reset();
  if (made_) fs::remove_all(path_, ignored);
}

}  // namespace lopt
