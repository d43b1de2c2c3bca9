#include "table.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>

using namespace lopt;

namespace {

/// What becomes of a column: numbers, one for each text that it has (one-hot), or none.
struct Feature {
  std::size_t column = 0;
  std::vector<std::string> texts;  // of a column of texts
};

}  // namespace

/// Rows of a table. With `label` a class: {"image": [n, features], "label": int32 [n]}; with `target` a number: {"x":
/// [n, features], "y": [n]}. Columns of numbers (true and false are 1 and 0) are made to mean 0 and variance 1 over the
/// training rows; a column of texts becomes one for each of its texts, "colour=red", which is 1 where it stands and
/// else 0. `categories` are columns of which a network learns a vector for each text: {"category": int32 [n, columns]}
/// beside the rest. Rows are shuffled, and the last share is for testing.
class Csv final : public Dataset {
 public:
  explicit Csv(Settings& s)
      : format_(s),
        label_(s.text("label", "").doc("column of the class")),
        target_(s.text("target", "").doc("column of the number that is to be found, where there is no label")),
        categories_(s.texts("categories", std::vector<std::string>{})
                        .doc("columns that become numbers of categories, for embedding_regression")),
        one_hot_(s.texts("one_hot", std::vector<std::string>{})
                     .doc("columns of numbers that are names: one column for each, \"colour=red\", as columns of texts "
                          "become")),
        ignore_(s.texts("ignore", std::vector<std::string>{}).doc("columns that are left out")),
        missing_(s.text("missing", "refuse")
                     .one_of({"refuse", "drop", "mean"})
                     .doc("what becomes of empty cells, NA, NaN and ?: an error, the row left out, the training rows' "
                          "mean")),
        test_share_(s.real("test_share", 0.1).above(0).below(1).doc("of the rows")),
        shuffle_(s.boolean("shuffle", true).doc("before they are split; false: the last rows are for testing")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    if (train_.entries().empty()) read();
    return split == Split::train ? train_ : test_;
  }
  std::string source() const override { return format_.file; }
  std::vector<std::string> notes() const override {
    examples(Split::train);
    return notes_;
  }

 private:
  static constexpr std::size_t most_texts = 256;

  void read() const {
    if (label_.empty() == target_.empty())
      throw DataError(format_.file + ": either `label` or `target` must name a column");
    const Table table(format_);
    const std::string& wanted = label_.empty() ? target_ : label_;
    const std::size_t aim = table.column(wanted);
    std::set<std::size_t> taken{aim};
    for (const std::string& name : ignore_) taken.insert(table.column(name));
    std::vector<std::size_t> categories;
    for (const std::string& name : categories_)
      if (taken.insert(table.column(name)).second) categories.push_back(table.column(name));
    std::vector<std::int32_t> rows = rows_to_keep(table, taken, categories, aim);
    std::vector<Feature> features;
    for (std::size_t column = 0; column < table.names().size(); ++column)
      if (!taken.contains(column)) features.push_back(feature_of(table, column, rows));
    if (features.empty() && categories.empty())
      throw DataError(format_.file + ": has no column beside " + in_quotes(wanted));
    const RowSplit split = split_rows(std::ssize(rows), test_share_, shuffle_, format_.file);

    std::vector<Values::Entry> entries;
    if (!features.empty())
      entries.emplace_back(label_.empty() ? "x" : "image", inputs(table, features, rows, split.train));
    if (!categories.empty()) entries.emplace_back("category", numbers_of_categories(table, categories, rows));
    entries.push_back(label_.empty() ? Values::Entry{"y", targets(table, aim, rows)}
                                     : Values::Entry{"label", classes(table, aim, rows)});
    const Values all(std::move(entries));
    train_ = rows_of(all, split.train);
    test_ = rows_of(all, split.test);
  }

  /// Rows of the table that are examples. Throws where a cell is missing that may not be.
  std::vector<std::int32_t> rows_to_keep(const Table& table, const std::set<std::size_t>& taken,
                                         const std::vector<std::size_t>& categories, std::size_t aim) const {
    std::vector<bool> is_used(table.names().size(), false), is_category(is_used.size(), false);
    for (std::size_t column = 0; column < is_used.size(); ++column)
      is_used[column] = !taken.contains(column) || column == aim;
    for (const std::size_t column : categories) is_used[column] = is_category[column] = true;
    std::vector<std::int32_t> rows;
    std::size_t missing = 0;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      bool keep = true;
      for (std::size_t column = 0; column < is_used.size(); ++column) {
        if (!is_used[column] || !table.is_missing(row, column)) continue;
        if (missing_ == "refuse")
          throw DataError(
              table.place(row, column) +
              ", which is missing; `missing: drop` leaves such rows out, `missing: mean` takes the mean of the others");
        if (missing_ == "mean" && (column == aim || is_category[column]))
          throw DataError(table.place(row, column) +
                          ", which is missing, and has no mean; `missing: drop` leaves such rows out");
        ++missing;
        keep = keep && missing_ != "drop";
      }
      if (keep) rows.push_back(static_cast<std::int32_t>(row));
    }
    if (rows.size() < table.rows())
      notes_.push_back(std::to_string(table.rows() - rows.size()) + " of " + std::to_string(table.rows()) +
                       " rows were left out: a cell is missing.");
    else if (missing > 0)
      notes_.push_back(std::to_string(missing) + " cells are missing: replaced by means.");
    return rows;
  }

  /// Numbers, or texts. Where most are numbers, a text among them is a mistake.
  Feature feature_of(const Table& table, std::size_t column, const std::vector<std::int32_t>& rows) const {
    Feature feature{column, {}};
    const bool wanted = std::ranges::find(one_hot_, table.names()[column]) != one_hot_.end();
    std::set<std::string> texts;
    std::size_t numbers = 0;
    std::optional<std::size_t> first_text;
    for (const std::int32_t at : rows) {
      const auto row = static_cast<std::size_t>(at);
      if (table.is_missing(row, column)) continue;
      if (table.number(row, column))
        ++numbers;
      else if (!first_text)
        first_text = row;
      texts.emplace(table.cell(row, column));
    }
    if (!wanted && !first_text) return feature;
    const std::string name = in_quotes(table.names()[column]);
    if (!wanted && 2 * numbers >= rows.size())
      throw DataError(table.place(*first_text, column) +
                      ", no number, where most cells of the column are; `one_hot: [" + table.names()[column] +
                      "]` takes all of them as names");
    if (texts.size() > most_texts)
      throw DataError(format_.file + ": the column " + name + " has " + std::to_string(texts.size()) +
                      " different texts, more than one column each would be good for; `ignore: [" +
                      table.names()[column] + "]` leaves it out, `categories` learns a vector for each");
    feature.texts.assign(texts.begin(), texts.end());
    std::string columns;
    for (const std::string& text : texts) columns += (columns.empty() ? "" : ", ") + table.names()[column] + "=" + text;
    notes_.push_back("The column " + name + " became " + std::to_string(texts.size()) + ": " + columns + ".");
    return feature;
  }

  /// [rows, features], missing ones and scales by the rows that are trained on.
  static Array inputs(const Table& table, const std::vector<Feature>& features, const std::vector<std::int32_t>& rows,
                      const std::vector<std::int32_t>& train) {
    std::size_t width = 0;
    for (const Feature& feature : features) width += std::max<std::size_t>(1, feature.texts.size());
    Array result(DType::float32, {std::ssize(rows), static_cast<std::int64_t>(width)});
    const auto to = result.mutable_values<float>();
    std::size_t first = 0;
    for (const Feature& feature : features) {
      const std::size_t count = std::max<std::size_t>(1, feature.texts.size());
      for (std::size_t k = 0; k < count; ++k) {
        for (std::size_t i = 0; i < rows.size(); ++i)
          to[i * width + first + k] = value(table, feature, static_cast<std::size_t>(rows[i]), k);
        scale(to, width, first + k, train, feature.texts.empty());
      }
      first += count;
    }
    return result;
  }

  /// NaN where the cell is missing.
  static float value(const Table& table, const Feature& feature, std::size_t row, std::size_t k) {
    if (table.is_missing(row, feature.column)) return NAN;
    if (feature.texts.empty()) return *table.number(row, feature.column);
    return table.cell(row, feature.column) == feature.texts[k] ? 1.0F : 0.0F;
  }

  /// A column of a matrix: what is missing becomes the mean of the training rows; then mean 0, variance 1, if wanted.
  static void scale(std::span<float> to, std::size_t width, std::size_t column, const std::vector<std::int32_t>& train,
                    bool standardise) {
    double sum = 0, square = 0, count = 0;
    const auto at = [&](std::size_t row) -> float& { return to[row * width + column]; };
    for (const std::int32_t row : train)
      if (const float x = at(static_cast<std::size_t>(row)); !std::isnan(x)) sum += static_cast<double>(x), ++count;
    const double mean = count > 0 ? sum / count : 0;
    for (const std::int32_t row : train)
      if (const float x = at(static_cast<std::size_t>(row)); !std::isnan(x))
        square += std::pow(static_cast<double>(x) - mean, 2);
    const double factor = square > 0 ? 1 / std::sqrt(square / count) : 1;
    for (std::size_t row = 0; row < to.size() / width; ++row) {
      const double x = std::isnan(at(row)) ? mean : static_cast<double>(at(row));
      at(row) = static_cast<float>(standardise ? (x - mean) * factor : x);
    }
  }

  static Array targets(const Table& table, std::size_t column, const std::vector<std::int32_t>& rows) {
    std::vector<float> values;
    for (const std::int32_t row : rows) {
      const std::optional<float> number = table.number(static_cast<std::size_t>(row), column);
      if (!number) throw DataError(table.place(static_cast<std::size_t>(row), column) + ", no number");
      values.push_back(*number);
    }
    return Array({std::ssize(values)}, values);
  }

  Array classes(const Table& table, std::size_t column, const std::vector<std::int32_t>& rows) const {
    const Classes classes = classes_in(table, column, rows);
    notes_.push_back("The column " + in_quotes(table.names()[column]) + " has " + to_text(classes) + ".");
    return Array({std::ssize(rows)}, classes.labels);
  }

  Array numbers_of_categories(const Table& table, const std::vector<std::size_t>& columns,
                              const std::vector<std::int32_t>& rows) const {
    Array result(DType::int32, {std::ssize(rows), std::ssize(columns)});
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const Classes classes = classes_in(table, columns[k], rows);
      for (std::size_t i = 0; i < rows.size(); ++i)
        result.mutable_values<std::int32_t>()[i * columns.size() + k] = classes.labels[i];
      notes_.push_back("The column " + in_quotes(table.names()[columns[k]]) + " has " +
                       std::to_string(classes.names.size()) + " categories.");
    }
    return result;
  }
  static Classes classes_in(const Table& table, std::size_t column, const std::vector<std::int32_t>& rows) {
    std::vector<std::string> labels;
    for (const std::int32_t row : rows) labels.emplace_back(table.cell(static_cast<std::size_t>(row), column));
    return classes_of(labels);
  }

  TableFormat format_;
  std::string label_, target_;
  std::vector<std::string> categories_, one_hot_, ignore_;
  std::string missing_;
  double test_share_;
  bool shuffle_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
  mutable std::vector<std::string> notes_;
};

LOPT_PLUGIN(Csv, "csv", {.summary = "Rows of a table: a class or a number from the other columns"})
