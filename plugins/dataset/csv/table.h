#pragma once
// Tables of separated values, as they are found: RFC 4180 and its kin.

#include <lopt/plugin.h>

#include <optional>

namespace lopt {

/// How a table is written.
struct TableFormat {
  std::string file, separator, decimal, comment;
  bool header = true;

  explicit TableFormat(Settings& s, std::optional<std::string> default_file = {});
};

/// A table whose cells are text.
class Table {
 public:
  /// Reads the file. Throws DataError with file, line and column.
  explicit Table(const TableFormat& format);

  std::size_t rows() const { return lines_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  /// The number of a column. Throws DataError with the columns that there are.
  std::size_t column(const std::string& name) const;

  std::string_view cell(std::size_t row, std::size_t column) const;
  /// Empty, NA, N/A, NaN, null, None or ?, in any case.
  bool is_missing(std::size_t row, std::size_t column) const;
  /// The number in a cell, true and false as 1 and 0; nothing where it holds another text, is missing, or too large.
  std::optional<float> number(std::size_t row, std::size_t column) const;
  /// "FILE:LINE: the column 'NAME' is 'CELL'": how a sentence on a cell begins.
  std::string place(std::size_t row, std::size_t column) const;

 private:
  class Reader;
  void require_names() const;

  TableFormat format_;
  std::vector<std::string> names_;
  std::string text_;               // of all cells, one after the other
  std::vector<std::size_t> ends_;  // of cells in it, row after row
  std::vector<std::size_t> lines_;
};

}  // namespace lopt
