#pragma once
// The folder of a run. Files appear whole or not at all; metrics are whole lines. One process at a time works in it.

#include "data/checkpoint_file.h"
#include "data/durable_file.h"

#include "data/json.h"
#include "report/folder_lock.h"
#include "report/step_log.h"

#include <memory>
#include <optional>
#include <string>

namespace lopt {

class RunFolder {
 public:
  /// Makes a folder: `wanted`, which must not exist or be empty, or runs/DATE-NAME with a number behind it if that
  /// exists. Throws FolderError.
  static RunFolder make(const std::string& wanted, const std::string& name);
  /// The folder of an earlier run. Throws FolderError where it is none, or another process works in it.
  static RunFolder open(const std::string& path);
  /// Throws FolderError where this is no folder of a run.
  static void expect(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Throws std::runtime_error with the system's reason; then the file is as it was.
  void write(const std::string& name, const std::string& content) const { write_durably(file(name), content); }
  void write_json(const std::string& name, const Json& json) const;

  /// metrics.jsonl, cut off at a size. Throws std::runtime_error.
  void begin_metrics(std::size_t size = 0);
  LineFile& metrics() { return *metrics_; }
  bool has_metrics() const { return metrics_ && metrics_->size() > 0; }

  /// Writes checkpoints/step-N.checkpoint and removes all but the newest `keep`, and logs of steps before those. Throws
  /// std::runtime_error.
  void write_checkpoint(int step, const Checkpoint& checkpoint, int keep) const;
  /// The newest checkpoint that is whole; nothing where there is none. What is wrong with newer ones is put into
  /// `damaged`.
  std::optional<Checkpoint> newest_checkpoint(std::vector<std::string>& damaged) const;

  /// The newest whole checkpoint of an earlier run that was taken after at most `step` steps; nothing where there is
  /// none. The run may be under way: its folder is only read.
  static std::optional<Checkpoint> checkpoint_before(const std::string& path, int step);

  /// Removes the folder, if this object made it: nothing in it is of use.
  void discard();

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  /// Says how, where that is not as usual.
  void lock();

  std::string path_;
  bool made_ = false;
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<LineFile> metrics_;
};

}  // namespace lopt
