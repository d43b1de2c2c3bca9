#pragma once
#include <lopt/random.h>
#include <lopt/tree.h>

#include <mutex>

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

  // What is asked in place of examples() where not all of them are wanted. The defaults look into examples().
  /// How many examples a split has.
  virtual std::int64_t count(Split split) const;
  /// Names and types of one example: those of examples() without their first dimension.
  virtual Types example_types() const;
  /// Copies the examples at these indices, in order, to the rows of a batch, whose arrays are as examples(). Throws
  /// DataError for an index that is none.
  virtual void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const;
  /// The smallest and the largest integer of an array, in both splits, or in that for training where the other cannot
  /// be had: what an alphabet or a number of classes is.
  struct Range {
    std::int64_t least = 0, most = -1;
  };
  virtual Range range(const std::string& name) const;

  /// What errors call it: the file or folder that the examples come from. The default says nothing.
  virtual std::string source() const { return ""; }
  /// What became of what was read, a sentence each, for a run's page: the classes' names, columns that became several,
  /// rows that were left out.
  virtual std::vector<std::string> notes() const { return {}; }
};

/// Throws that a dataset is not what a task wants, as "the dataset of FILE WHAT": DataError where it comes from files,
/// else SettingsError, since the spec puts together what does not belong together.
[[noreturn]] void refuse_data(const Dataset& dataset, const std::string& what);
/// The type of an example's array. Refuses data, with the arrays that there are, where there is none of this name or it
/// is no single array; `wanted_by` is what the sentence says wants it.
Type array_type(const Dataset& dataset, const std::string& name, const std::string& wanted_by);

/// Examples that are made, or read from a mapped file, when a batch wants them: count(), example_types(), rows() and
/// range() are given, and examples() collects them all for whoever asks.
class OnDemandDataset : public Dataset {
 public:
  const Values& examples(Split split) const override;
  std::int64_t count(Split split) const override = 0;
  Types example_types() const override = 0;
  void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const override = 0;
  Range range(const std::string& name) const override = 0;

 private:
  mutable std::mutex mutex_;
  mutable Values all_[2];
};

/// The bytes of a file, of which the machine holds those that are looked at. It may be closed, copied and moved.
class MappedFile {
 public:
  MappedFile() = default;
  /// Throws DataError where it cannot be read, or is none (a folder).
  explicit MappedFile(const std::string& path);
  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::shared_ptr<const void> mapping_;
  std::span<const std::uint8_t> bytes_;
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

/// An array of a NumPy file, and what it is there.
struct StoredArray {
  enum class Kind { boolean, byte, integer, real, text };  // byte: uint8
  std::string name;  // in the archive; of a .npy file: its name without the ending
  Kind kind = Kind::real;
  Shape shape;
  Array numbers;                   // as read_npz gives them; of no text
  std::vector<std::string> texts;  // in row-major order, UTF-8; of text
};
/// The arrays of a .npz file, or the one of a .npy file. Throws DataError.
std::vector<StoredArray> read_stored_arrays(const std::string& path);
/// All bytes of a file, of what gzip has compressed what it was, 2 GB at most. Throws DataError.
std::vector<std::uint8_t> file_bytes(const std::string& path);
/// The same of a text in UTF-8, without its byte-order mark. Throws DataError, which names UTF-16 and Latin-1.
std::string file_text(const std::string& path);

/// Text of a file for a message: between quotes, at most 60 characters of it, and what is no character that can be
/// printed as \xNN.
std::string in_quotes(std::string_view text);

}  // namespace lopt
