#include "../csv/table.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <numeric>

using namespace lopt;

/// Windows of a series that goes through time, row after row of a table: {"x": [n, length, columns], "y": [n,
/// targets]}, where y is what follows `ahead` rows after the window. The split is by time: what is to be found in
/// testing lies in the last share of the rows. Columns of x are made to mean 0 and variance 1 over the rows before; y
/// is as it is. Without a file: 4,000 rows of lopt's own making, two waves whose height drifts, and noise.
class Series final : public OnDemandDataset {
 public:
  explicit Series(Settings& s)
      : format_(s, ""),
        columns_(
            s.texts("columns", std::vector<std::string>{}).doc("that are looked at; none: all columns of numbers")),
        targets_(
            s.texts("targets", std::vector<std::string>{}).doc("that are to be found; none: the first of the columns")),
        length_(s.integer("length", 24).between(1, 100'000).unit("rows").doc("of a window")),
        ahead_(
            s.integer("ahead", 1).between(1, 100'000).unit("rows").doc("after the window's last row lies the target")),
        test_share_(s.real("test_share", 0.2).above(0).below(1).doc("of the rows, at the end")) {}

  std::int64_t count(Split split) const override {
    const Data& data = this->data();
    return split == Split::train ? data.train - span() : data.rows - data.train;
  }
  Types example_types() const override {
    const Data& data = this->data();
    return {{"x", Type{DType::float32, {length_, data.width}}},
            {"y", Type{DType::float32, {std::ssize(data.targets)}}}};
  }
  Range range(const std::string&) const override { throw DataError(source() + ": a series has no integers"); }
  std::string source() const override { return format_.file; }
  std::vector<std::string> notes() const override { return data().notes; }

  void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const override {
    const Data& data = this->data();
    const std::int64_t first = split == Split::train ? 0 : data.train - span(), windows = count(split);
    float *x = static_cast<float*>(batch[0].mutable_data()), *y = static_cast<float*>(batch[1].mutable_data());
    for (const std::int32_t index : indices) {
      if (index < 0 || index >= windows)
        throw DataError("the series is asked for window " + std::to_string(index) + " of " + std::to_string(windows));
      const auto begin = static_cast<std::size_t>((first + index) * data.width),
                 size = static_cast<std::size_t>(length_ * data.width),
                 row = static_cast<std::size_t>(first + index + span());
      x = std::copy_n(data.scaled.begin() + static_cast<std::ptrdiff_t>(begin), size, x);
      for (const std::vector<float>& target : data.targets) *y++ = target[row];
    }
  }

 private:
  struct Data {
    std::int64_t rows = 0, train = 0, width = 0;
    std::vector<float> scaled;                // [rows, width]
    std::vector<std::vector<float>> targets;  // [targets][rows]
    std::vector<std::string> notes;
  };

  /// From a window's first row to its target.
  std::int64_t span() const { return length_ + ahead_ - 1; }

  const Data& data() const {
    const std::lock_guard lock(mutex_);
    if (data_.rows == 0) data_ = format_.file.empty() ? of_columns(own_series(), {0}, "the series") : read();
    return data_;
  }

  Data read() const {
    const Table table(format_);
    std::vector<std::size_t> places;
    std::string left_out;
    for (const std::string& name : columns_) places.push_back(table.column(name));
    for (std::size_t column = 0; columns_.empty() && column < table.names().size(); ++column) {
      const bool numbers = table.rows() > 0 && (table.number(0, column) || table.is_missing(0, column));
      if (numbers) places.push_back(column);
      if (!numbers) left_out += (left_out.empty() ? "" : ", ") + table.names()[column];
    }
    if (places.empty()) throw DataError(format_.file + ": has no column of numbers");
    std::vector<std::size_t> targets;
    for (const std::string& name : targets_) targets.push_back(table.column(name));
    if (targets.empty()) targets.push_back(places[0]);
    for (std::size_t& target : targets) {
      const auto at = std::ranges::find(places, target);
      if (at == places.end())
        throw DataError(format_.file + ": `targets` names " + in_quotes(table.names()[target]) +
                        ", which is none of the columns looked at");
      target = static_cast<std::size_t>(at - places.begin());
    }
    std::vector<std::vector<float>> columns(places.size());
    for (std::size_t k = 0; k < places.size(); ++k)
      for (std::size_t row = 0; row < table.rows(); ++row) {
        const std::optional<float> number = table.number(row, places[k]);
        if (!number)
          throw DataError(table.place(row, places[k]) + (table.is_missing(row, places[k])
                                                             ? ", which is missing: a series wants each"
                                                             : ", no number"));
        columns[k].push_back(*number);
      }
    Data result = of_columns(columns, targets, format_.file);
    if (!left_out.empty()) result.notes.push_back("Columns that hold no numbers are left out: " + left_out + ".");
    return result;
  }

  Data of_columns(const std::vector<std::vector<float>>& columns, const std::vector<std::size_t>& targets,
                  const std::string& name) const {
    Data data;
    data.rows = std::ssize(columns[0]);
    data.width = std::ssize(columns);
    data.train = data.rows - static_cast<std::int64_t>(static_cast<double>(data.rows) * test_share_);
    if (data.train <= span() || data.train == data.rows)
      throw DataError(name + ": has " + std::to_string(data.rows) + " rows, too few for windows of " +
                      std::to_string(length_) + " rows, their targets and a test part");
    data.scaled.resize(static_cast<std::size_t>(data.rows * data.width));
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const auto before = std::span(columns[k]).first(static_cast<std::size_t>(data.train));
      const auto n = static_cast<double>(before.size());
      const double mean = std::accumulate(before.begin(), before.end(), 0.0) / n;
      double square = 0;
      for (const float x : before) square += std::pow(static_cast<double>(x) - mean, 2) / n;
      const double factor = square > 0 ? 1 / std::sqrt(square) : 1;
      for (std::size_t row = 0; row < columns[k].size(); ++row)
        data.scaled[row * columns.size() + k] =
            static_cast<float>((static_cast<double>(columns[k][row]) - mean) * factor);
    }
    for (const std::size_t target : targets) data.targets.push_back(columns[target]);
    data.notes.push_back("Windows of " + std::to_string(length_) + " rows; testing begins at row " +
                         std::to_string(data.train + 1) + " of " + std::to_string(data.rows) + ".");
    return data;
  }

  static std::vector<std::vector<float>> own_series() {
    constexpr std::int64_t rows = 4000;
    const Array noise = normal(HostKey::from_seed(0x73657269), {rows, 2});
    std::vector<std::vector<float>> columns(1);
    double drift = 1;
    for (std::size_t row = 0; row < rows; ++row) {
      const double t = 2 * std::numbers::pi * static_cast<double>(row);
      drift = 0.99 * drift + 0.01 + 0.05 * static_cast<double>(noise.values<float>()[2 * row]);
      columns[0].push_back(static_cast<float>(20 + 5 * drift * std::sin(t / 24) + 3 * std::sin(t / 168) +
                                              0.5 * static_cast<double>(noise.values<float>()[2 * row + 1])));
    }
    return columns;
  }

  TableFormat format_;
  std::vector<std::string> columns_, targets_;
  std::int64_t length_, ahead_;
  double test_share_;
  mutable std::mutex mutex_;
  mutable Data data_;
};

LOPT_PLUGIN(Series, "series", {.summary = "Windows of a series in a table; by default one that lopt makes"})
