#pragma once
// What datasets do with rows that they have read: splits, classes.

#include <lopt/dataset.h>

#include <string>
#include <vector>

namespace lopt {

/// Rows for training and for testing: the last `test_share` of them, at least one, as they lie, or `shuffle`d in a
/// random order that is always the same: files are often sorted. Throws DataError in the name of `name` for fewer than
/// two rows.
struct RowSplit {
  std::vector<std::int32_t> train, test;
};
RowSplit split_rows(std::int64_t count, double test_share, bool shuffle, const std::string& name);

/// These rows of each array.
Values rows_of(const Values& examples, std::span<const std::int32_t> rows);

/// Labels as numbers from 0, in the order of their names: of the numbers, where all are numbers, else of the alphabet.
struct Classes {
  std::vector<std::string> names;
  std::vector<std::int32_t> labels;
};
Classes classes_of(std::span<const std::string> labels);
/// "3 classes: 0 is cat, 1 is dog, 2 is fish".
std::string to_text(const Classes& classes);

}  // namespace lopt
