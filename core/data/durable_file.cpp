#include "data/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace lopt {
namespace {

/// A file descriptor that is closed when it goes out of scope.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  bool good() const { return number_ >= 0; }
  int number() const { return number_; }
  bool close() {
    const int number = number_;
    number_ = -1;
    return number < 0 || ::close(number) == 0;
  }

 private:
  int number_;
};

bool write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor descriptor(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  return descriptor.good() && ::fsync(descriptor.number()) == 0;
}

using Put = std::function<void(std::string_view)>;

bool written_and_synced(const std::string& path, const std::function<void(const Put&)>& produce) {
  constexpr std::size_t most_waiting = 1 << 16;  // bytes that are written together
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  bool good = file.good();
  int code = errno;
  std::string waiting;
  const auto flush = [&] {
    good = good && write_all(file.number(), waiting);
    if (!good && code == 0) code = errno;
    waiting.clear();
  };
  if (good) {
    code = 0;
    produce([&](std::string_view piece) {
      if (waiting.size() + piece.size() > most_waiting) flush();
      waiting += piece;
    });
    flush();
  }
  if (good) return ::fsync(file.number()) == 0 && file.close();
  errno = code;
  return false;
}

}  // namespace

void write_durably(const std::string& path, std::string_view content) {
  write_durably(path, [&](const Put& put) { put(content); });
}

void write_durably(const std::string& path, const std::function<void(const Put&)>& produce) {
  const std::string partial = path + ".partial";
  if (written_and_synced(partial, produce) && std::rename(partial.c_str(), path.c_str()) == 0 && sync_folder_of(path))
    return;
  const int code = errno;
  ::unlink(partial.c_str());
  throw std::runtime_error(fmt::format("cannot write {}: {}", path, std::strerror(code)));
}

LineFile::LineFile(std::string path, std::size_t size)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)), size_(size) {
  if (file_ < 0 || ::ftruncate(file_, static_cast<off_t>(size)) != 0) fail();
}
LineFile::~LineFile() {
  if (file_ >= 0) ::close(file_);
}

void LineFile::fail() const {
  throw std::runtime_error(fmt::format("cannot write {}: {}", path_, std::strerror(errno)));
}

void LineFile::add(std::string_view lines) {
  if (::lseek(file_, static_cast<off_t>(size_), SEEK_SET) < 0) fail();
  if (!write_all(file_, lines)) {
    const int code = errno;
    static_cast<void>(::ftruncate(file_, static_cast<off_t>(size_)) == 0);
    errno = code;
    fail();
  }
  size_ += lines.size();
}

void LineFile::sync() {
  if (::fsync(file_) != 0) fail();
}

}  // namespace lopt
