#pragma once
// Files that are there whole or not at all, also when the machine fails.

#include <functional>
#include <string>
#include <string_view>

namespace lopt {

/// Writes a file: to a temporary name in its folder, synced, renamed, and the folder synced. Throws std::runtime_error
/// "cannot write FILE: REASON"; then what was there before is there still.
void write_durably(const std::string& path, std::string_view content);
/// The same for content that comes piece by piece.
void write_durably(const std::string& path,
                   const std::function<void(const std::function<void(std::string_view)>&)>& produce);

/// A file that grows by whole lines.
class LineFile {
 public:
  /// Opens or makes the file and cuts it off at `size` bytes. Throws std::runtime_error.
  LineFile(std::string path, std::size_t size);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// Adds lines. Throws std::runtime_error; then the file ends with the lines before.
  void add(std::string_view lines);
  /// Until here all is on the disk. Throws std::runtime_error.
  void sync();
  /// Bytes of whole lines.
  std::size_t size() const { return size_; }

 private:
  [[noreturn]] void fail() const;
  std::string path_;
  int file_ = -1;
  std::size_t size_ = 0;
};

}  // namespace lopt
