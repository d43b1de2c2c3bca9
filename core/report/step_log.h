#pragma once
// What each step of a training found, in a file that grows by a record a step: with a checkpoint and the records behind
// it, the steps since then can be made again without anybody else. So a run whose checkpoints are large and rare loses
// no step all the same.
//
//   checkpoints/step-N.log: of each step after the Nth its length (8 bytes, little-endian), its bytes, and their
//   SHA-256.

#include "data/durable_file.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lopt {

class StepLog {
 public:
  /// The file of the steps after this one, empty. Throws std::runtime_error.
  StepLog(const std::string& run_folder, int after_step);
  /// The next step's record. It outlives the process, though not the machine: it is not synced. Throws
  /// std::runtime_error.
  void add(std::span<const std::byte> record);

 private:
  LineFile file_;
};

/// The step in the name of a checkpoint or a log, as in step-0000000200.log.
int step_of(const std::filesystem::path& file);
/// The records of the steps after this one, one after the other, as far as they are whole.
std::vector<std::vector<std::byte>> logged_after(const std::string& run_folder, int step);
/// Removes logs that begin before `first`, or after `last`.
void remove_logs_outside(const std::string& run_folder, int first, int last);

}  // namespace lopt
