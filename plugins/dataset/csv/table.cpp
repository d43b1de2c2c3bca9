#include "table.h"

#include <csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace lopt {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

}  // namespace

TableFormat::TableFormat(Settings& s, std::optional<std::string> default_file)
    : file(s.text("file", std::move(default_file)).doc("the table, plain or gzip; UTF-8")),
      separator(s.text("separator", ",").doc("between columns, one character; `tab` for a tabulator")),
      decimal(s.text("decimal", ".").one_of({".", ","}).doc("before the fractions of numbers")),
      comment(s.text("comment", "").doc("lines that begin so are passed over; empty: none")),
      header(s.boolean("header", true).doc("whether the first line names the columns; else they are 1, 2, …")) {
  if (separator == "tab" || separator == "\\t") separator = "\t";
}

/// libcsv finds cells and rows; lines are given to it one by one, so that each row's is known.
class Table::Reader {
 public:
  explicit Reader(Table& table) : table_(table) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_delim(&parser_, static_cast<unsigned char>(table.format_.separator[0]));
  }
  ~Reader() { csv_free(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void read(std::string_view text) {
    const char end = text.find('\n') == std::string_view::npos ? '\r' : '\n';
    for (; !text.empty(); ++line_) {
      const std::string_view line = text.substr(0, std::min(text.find(end), text.size() - 1) + 1);
      text.remove_prefix(line.size());
      if (between_rows_) {
        row_line_ = line_;
        if (!table_.format_.comment.empty() && line.starts_with(table_.format_.comment)) continue;
        if (line.find_first_not_of(" \r\n") == std::string_view::npos) continue;
      }
      between_rows_ = false;
      if (csv_parse(&parser_, line.data(), line.size(), on_cell, on_row, this) != line.size()) refuse();
      rethrow();
    }
    if (csv_fini(&parser_, on_cell, on_row, this) != 0)
      throw DataError(where(row_line_) + "a quote begins in the row of this line that nothing ends");
    rethrow();
  }

 private:
  // No exception goes through the library: what is wrong waits until it has returned.
  static void on_cell(void* cell, std::size_t size, void* self) {
    static_cast<Reader*>(self)->guarded([&](Reader& reader) {
      reader.add_cell({static_cast<const char*>(cell), size});
    });
  }
  static void on_row(int, void* self) {
    static_cast<Reader*>(self)->guarded([](Reader& reader) { reader.end_row(); });
  }
  template <class Function>
  void guarded(Function function) {
    try {
      if (!thrown_) function(*this);
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

  void add_cell(std::string_view cell) {
    if (table_.names_.empty() && table_.format_.header) return void(header_.emplace_back(cell));
    table_.text_ += cell;
    table_.ends_.push_back(table_.text_.size());
    ++cells_;
  }
  void end_row() {
    between_rows_ = true;
    if (table_.names_.empty()) {
      if (!table_.format_.header)
        for (std::size_t i = 1; i <= cells_; ++i) header_.push_back(std::to_string(i));
      table_.names_ = std::move(header_);
      if (table_.format_.header) return;
    }
    if (cells_ != table_.names_.size())
      throw DataError(where(row_line_) + "has " + std::to_string(cells_) + " columns, not " +
                      std::to_string(table_.names_.size()));
    cells_ = 0;
    table_.lines_.push_back(row_line_);
  }
  std::string where(std::size_t line) const { return table_.format_.file + ":" + std::to_string(line) + ": "; }
  [[noreturn]] void refuse() {
    rethrow();
    if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
    throw DataError(
        where(line_) +
        "a quote stands inside a cell, or a text behind the quote that ends one; a cell with quotes in it is "
        "quoted, and they are doubled");
  }

  Table& table_;
  csv_parser parser_{};
  std::exception_ptr thrown_;
  std::vector<std::string> header_;
  std::size_t cells_ = 0, line_ = 1, row_line_ = 1;
  bool between_rows_ = true;
};

Table::Table(const TableFormat& format) : format_(format) {
  if (format_.separator.size() != 1)
    throw DataError(format_.file + ": the separator must be one character, not " + in_quotes(format_.separator));
  if (format_.separator == format_.decimal)
    throw DataError(format_.file + ": columns and fractions cannot both be separated by " + in_quotes(format_.decimal));
  Reader(*this).read(file_text(format_.file));
  require_names();
}

void Table::require_names() const {
  if (names_.empty()) throw DataError(format_.file + ": has no rows");
  std::set<std::string> names;
  for (const std::string& name : names_)
    if (!names.insert(name).second) throw DataError(format_.file + ": has two columns " + in_quotes(name));
  if (names_.size() > 1) return;
  for (const char* other : {";", "\t", "|", ","})
    if (names_[0].find(other) != std::string::npos)
      throw DataError(format_.file + ": has one column, " + in_quotes(names_[0]) + "; `separator: \"" +
                      (other[0] == '\t' ? "tab" : other) + "\"` may be meant");
}

std::size_t Table::column(const std::string& name) const {
  const auto at = std::ranges::find(names_, name);
  if (at != names_.end()) return static_cast<std::size_t>(at - names_.begin());
  std::string known;
  for (const std::string& one : names_) known += (known.empty() ? "" : ", ") + one;
  throw DataError(format_.file + ": has no column '" + name + "'; there are: " + known);
}

std::string_view Table::cell(std::size_t row, std::size_t column) const {
  const std::size_t index = row * names_.size() + column, begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(text_).substr(begin, ends_[index] - begin);
}

bool Table::is_missing(std::size_t row, std::size_t column) const {
  const std::string_view text = cell(row, column);
  return std::ranges::any_of(std::initializer_list<std::string_view>{"", "na", "n/a", "nan", "null", "none", "?"},
                             [&](std::string_view word) { return same_word(text, word); });
}

std::optional<float> Table::number(std::size_t row, std::size_t column) const {
  std::string text(cell(row, column));
  if (same_word(text, "true")) return 1.0F;
  if (same_word(text, "false")) return 0.0F;
  if (format_.decimal != "." && text.find('.') != std::string::npos) return std::nullopt;
  std::ranges::replace(text, format_.decimal[0], '.');
  const std::size_t sign = text.size() > 1 && text[0] == '+' && text[1] != '-' ? 1 : 0;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
  const auto narrow = static_cast<float>(value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(narrow)) return std::nullopt;
  return narrow;
}

std::string Table::place(std::size_t row, std::size_t column) const {
  return format_.file + ":" + std::to_string(lines_[row]) + ": the column " + in_quotes(names_[column]) + " is " +
         in_quotes(cell(row, column));
}

}  // namespace lopt
