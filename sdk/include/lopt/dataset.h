#pragma once
#include <lopt/random.h>
#include <lopt/tree.h>

namespace lopt {

/// Training images and test images are never mixed.
enum class Split { train, test };

/// Examples in memory, and the order in which batches take them.
class Dataset {
 public:
  static constexpr const char* kind = "dataset";
  virtual ~Dataset() = default;

  /// Named arrays whose first dimension is the example: {"image": float32 [n, features], "label": int32 [n]}.
  /// Reads files on the first call. Throws lopt::DataError where they are damaged or missing.
  virtual const Values& examples(Split split) const = 0;

  /// The examples that make up batch `step` (0, 1, …) of the stream `stream` (one a task). A function of its arguments
  /// alone, so that a run can be resumed anywhere. The default passes over all examples endlessly, each time in an
  /// order of its own, drawn from the key.
  virtual void batch(HostKey key, std::uint32_t stream, std::int64_t step, std::span<std::int32_t> indices) const;
};

/// A damaged, missing or unsuitable data file: exit code 4.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Arrays of an IDX file, plain or gzip: its dimensions, and its bytes as int32. Throws DataError.
Array read_idx(const std::string& path);
Array read_idx(std::span<const std::uint8_t> bytes, const std::string& name_for_errors);
/// Named arrays of a NumPy .npz file; narrower integers are widened to int32 or uint32, float64 narrowed. Throws
/// DataError.
Values read_npz(const std::string& path);

}  // namespace lopt
