#include "report/step_log.h"

#include "data/sha256.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace lopt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t length_size = 8, hash_size = 64;

fs::path log_file(const std::string& run_folder, int step) {
  return fs::path(run_folder) / "checkpoints" / fmt::format("step-{:010}.log", step);
}

std::string hash_of(std::span<const std::byte> bytes) {
  return sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// Records from the front of a file, until one that is damaged or cut short.
std::vector<std::vector<std::byte>> records_in(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  std::span<const std::byte> rest = std::as_bytes(std::span(content));
  std::vector<std::vector<std::byte>> records;
  while (rest.size() >= length_size) {
    std::uint64_t length = 0;
    std::memcpy(&length, rest.data(), length_size);
    rest = rest.subspan(length_size);
    if (rest.size() < hash_size || length > rest.size() - hash_size) break;
    const std::span<const std::byte> record = rest.first(length), hash = rest.subspan(length, hash_size);
    if (std::string_view(reinterpret_cast<const char*>(hash.data()), hash_size) != hash_of(record)) break;
    records.emplace_back(record.begin(), record.end());
    rest = rest.subspan(length + hash_size);
  }
  return records;
}

}  // namespace

int step_of(const fs::path& file) {
  const std::string name = file.filename().string();
  int step = 0;
  if (name.starts_with("step-")) std::from_chars(name.data() + 5, name.data() + name.size(), step);
  return step;
}

StepLog::StepLog(const std::string& run_folder, int after_step)
    : file_((fs::create_directory(fs::path(run_folder) / "checkpoints"), log_file(run_folder, after_step).string()),
            0) {}

void StepLog::add(std::span<const std::byte> record) {
  const std::uint64_t length = record.size();
  std::string bytes(reinterpret_cast<const char*>(&length), length_size);
  bytes.append(reinterpret_cast<const char*>(record.data()), record.size());
  file_.add(bytes + hash_of(record));
}

std::vector<std::vector<std::byte>> logged_after(const std::string& run_folder, int step) {
  std::vector<std::vector<std::byte>> records;
  // A log ends where the next begins: at a checkpoint, which may be damaged, or where a run went on.
  for (std::size_t before = 0;; before = records.size()) {
    for (std::vector<std::byte>& record : records_in(log_file(run_folder, step + static_cast<int>(before))))
      records.push_back(std::move(record));
    if (records.size() == before) return records;
  }
}

void remove_logs_outside(const std::string& run_folder, int first, int last) {
  std::error_code error;
  std::vector<fs::path> outside;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(run_folder) / "checkpoints", error)) {
    const int step = step_of(entry.path());
    if (entry.path().extension() != ".log") continue;
    if (step < first || step > last) outside.push_back(entry.path());
  }
  for (const fs::path& path : outside) fs::remove(path, error);
}

}  // namespace lopt
