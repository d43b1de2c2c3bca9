#include "data/damaged.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lopt {
namespace {

struct OpenFile {
  int number;
  explicit OpenFile(const std::string& path) : number(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (number < 0) damaged(path, std::strerror(errno));
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { close(number); }
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const OpenFile file(path);
  struct stat facts {};
  if (fstat(file.number, &facts) != 0) damaged(path, std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) damaged(path, "it is no file");
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size == 0) return;
  void* start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (start == MAP_FAILED) damaged(path, std::strerror(errno));
  mapping_ = std::shared_ptr<const void>(start, [size](const void* at) { munmap(const_cast<void*>(at), size); });
  bytes_ = {static_cast<const std::uint8_t*>(start), size};
}

}  // namespace lopt
