#pragma once
// The folder of a run. Files appear whole or not at all; metrics are whole lines.

#include <lopt/tree.h>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>
#include <string>

namespace lopt {

/// The folder cannot be made, or is somebody else's: wrong usage.
class FolderError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class RunFolder {
 public:
  /// Makes the folder: `wanted`, which must not exist or be empty, or runs/DATE-NAME with a number behind it if that
  /// exists. Throws FolderError.
  RunFolder(const std::string& wanted, const std::string& name);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Throws std::runtime_error with the system's reason; then the file is not there.
  void write(const std::string& name, const std::string& content) const;
  void write_json(const std::string& name, const nlohmann::ordered_json& json) const;
  /// Adds a line to metrics.jsonl. Throws std::runtime_error; then the file ends with the line before.
  void add_metrics(const nlohmann::ordered_json& json);
  /// True once a line of metrics was written.
  bool has_metrics() const { return metrics_size_ > 0; }
  /// Removes the folder, if this object made it: nothing in it is of use.
  void discard();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  bool made_ = false;
  std::unique_ptr<std::FILE, Closer> metrics_;
  long metrics_size_ = 0;
};

/// Writes a file whole: to a temporary name first. Throws std::runtime_error.
void write_file(const std::string& path, const std::string& content);

}  // namespace lopt
