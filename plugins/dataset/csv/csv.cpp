#include <lopt/plugin.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <mutex>

using namespace lopt;

/// Rows of a CSV file, numbers but for the label. Columns are made to mean 0 and variance 1 over the training rows.
/// With `label` a class (numbers or words, in the order of the alphabet): {"image": [n, features], "label": int32 [n]};
/// with `target` a number: {"x": [n, features], "y": [n]}. The last share of the rows is for testing.
class Csv final : public Dataset {
 public:
  explicit Csv(Settings& s)
      : file_(s.text("file").doc("the file; its first line names the columns")),
        label_(s.text("label", "").doc("column of the class")),
        target_(s.text("target", "").doc("column of the number that is to be found, where there is no label")),
        separator_(s.text("separator", ",").doc("between columns, one character")),
        test_share_(s.real("test_share", 0.1).above(0).below(1).doc("of the rows, at the end")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    if (train_.entries().empty()) read();
    return split == Split::train ? train_ : test_;
  }

 private:
  std::vector<std::string> cells(std::string line) const {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    std::vector<std::string> result;
    for (std::size_t begin = 0;;) {
      const std::size_t end = std::min(line.find(separator_[0], begin), line.size());
      std::string cell = line.substr(begin, end - begin);
      if (cell.size() > 1 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
      const std::size_t first = cell.find_first_not_of(' '), last = cell.find_last_not_of(' ');
      result.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
      if (end == line.size()) return result;
      begin = end + 1;
    }
  }
  float number(const std::string& cell, std::size_t line, const std::string& column) const {
    float value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value))
      throw DataError(file_ + ":" + std::to_string(line) + ": the column '" + column + "' is '" + cell +
                      "', no number");
    return value;
  }

  void read() const {
    if (separator_.size() != 1)
      throw DataError(file_ + ": the separator must be one character, not '" + separator_ + "'");
    if (label_.empty() == target_.empty()) throw DataError(file_ + ": either `label` or `target` must name a column");
    std::ifstream file(file_);
    std::string line;
    if (!file || !std::getline(file, line)) throw DataError(file_ + ": cannot be read, or is empty");
    const std::vector<std::string> names = cells(line);
    const std::string& wanted = label_.empty() ? target_ : label_;
    const auto place = static_cast<std::size_t>(std::find(names.begin(), names.end(), wanted) - names.begin());
    if (place == names.size()) {
      std::string known;
      for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
      throw DataError(file_ + ": has no column '" + wanted + "'; there are: " + known);
    }
    std::vector<std::vector<float>> features(names.size());
    std::vector<std::string> classes;
    for (std::size_t at = 2; std::getline(file, line); ++at) {
      if (line.empty() || line == "\r") continue;
      const std::vector<std::string> row = cells(line);
      if (row.size() != names.size())
        throw DataError(file_ + ":" + std::to_string(at) + ": has " + std::to_string(row.size()) + " columns, not " +
                        std::to_string(names.size()));
      for (std::size_t i = 0; i < row.size(); ++i)
        if (i != place || label_.empty()) features[i].push_back(number(row[i], at, names[i]));
      if (!label_.empty()) classes.push_back(row[place]);
    }
    const std::vector<float> targets = features[place];
    features.erase(features.begin() + static_cast<std::ptrdiff_t>(place));
    if (features.empty() || features[0].size() < 2) throw DataError(file_ + ": has too few rows or columns");
    split(features, targets, classes);
  }

  void split(std::vector<std::vector<float>>& features, const std::vector<float>& targets,
             const std::vector<std::string>& classes) const {
    const std::size_t count = features[0].size(),
                      test =
                          std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(count) * test_share_)),
                      train = count - test;
    for (std::vector<float>& column : features) {
      double mean = 0, square = 0;
      for (std::size_t i = 0; i < train; ++i) mean += static_cast<double>(column[i]) / static_cast<double>(train);
      for (std::size_t i = 0; i < train; ++i)
        square += std::pow(static_cast<double>(column[i]) - mean, 2) / static_cast<double>(train);
      const double scale = square > 0 ? 1 / std::sqrt(square) : 1;
      for (float& x : column) x = static_cast<float>((static_cast<double>(x) - mean) * scale);
    }
    std::map<std::string, std::int32_t> numbers;
    for (const std::string& name : classes) numbers.emplace(name, 0);
    std::int32_t next = 0;
    for (auto& [name, number] : numbers) number = next++;
    const auto part = [&](std::size_t from, std::size_t to) {
      const auto n = static_cast<std::int64_t>(to - from), width = static_cast<std::int64_t>(features.size());
      std::vector<float> x, y;
      std::vector<std::int32_t> label;
      for (std::size_t i = from; i < to; ++i) {
        for (const std::vector<float>& column : features) x.push_back(column[i]);
        if (classes.empty())
          y.push_back(targets[i]);
        else
          label.push_back(numbers.at(classes[i]));
      }
      return classes.empty() ? Values{{"x", Array({n, width}, x)}, {"y", Array({n}, y)}}
                             : Values{{"image", Array({n, width}, x)}, {"label", Array({n}, label)}};
    };
    train_ = part(0, train);
    test_ = part(train, count);
  }

  std::string file_, label_, target_, separator_;
  double test_share_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
};

LOPT_PLUGIN(Csv, "csv", {.summary = "Rows of a CSV file: a class or a number from the other columns"})
