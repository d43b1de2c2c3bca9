#include <lopt/plugin.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <mutex>

using namespace lopt;

/// Examples from a CSV file: a line of names, then a line of numbers for each example. One column is the label, a whole
/// number; the others are the features, scaled to mean 0 and standard deviation 1. Every so many lines one is kept for
/// tests.
class Csv final : public Dataset {
 public:
  explicit Csv(Settings& s)
      : file_(s.text("file").doc("the CSV file, relative to where lopt-run is called")),
        label_(s.text("label", "label").doc("name of the column with the class")),
        test_every_(
            s.integer("test_every", 5).between(2, 1000000).unit("examples").doc("one in so many is for tests")) {}

  const Values& examples(Split split) const override {
    std::call_once(read_, [this] { read(); });
    return split == Split::train ? train_ : test_;
  }

 private:
  [[noreturn]] void complain(std::size_t line, const std::string& what) const {
    throw DataError(file_ + ":" + std::to_string(line) + ": " + what);
  }

  static std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells(1);
    for (char c : line)
      if (c == ',')
        cells.emplace_back();
      else if (c != '\r' && c != ' ')
        cells.back() += c;
    return cells;
  }

  void read() const {
    std::ifstream file(file_);
    std::string line;
    if (!std::getline(file, line)) throw DataError(file_ + ": cannot be read, or is empty");
    const std::vector<std::string> names = cells_of(line);
    const auto label = static_cast<std::size_t>(std::find(names.begin(), names.end(), label_) - names.begin());
    if (label == names.size()) complain(1, "there is no column '" + label_ + "'");
    const std::size_t features = names.size() - 1;
    std::vector<float> numbers;
    std::vector<std::int32_t> labels;
    for (std::size_t number = 2; std::getline(file, line); ++number) {
      const std::vector<std::string> cells = cells_of(line);
      if (cells.size() != names.size())
        complain(number,
                 std::to_string(cells.size()) + " cells where the first line has " + std::to_string(names.size()));
      for (std::size_t i = 0; i < cells.size(); ++i) {
        float value = 0;
        const char* end = cells[i].data() + cells[i].size();
        if (std::from_chars(cells[i].data(), end, value).ptr != end || cells[i].empty())
          complain(number, "'" + cells[i] + "' in the column '" + names[i] + "' is no number");
        if (i == label)
          labels.push_back(static_cast<std::int32_t>(value));
        else
          numbers.push_back(value);
      }
    }
    if (labels.size() < static_cast<std::size_t>(test_every_)) throw DataError(file_ + ": has too few examples");
    standardise(numbers, features);
    train_ = every(numbers, labels, features, false);
    test_ = every(numbers, labels, features, true);
  }

  static void standardise(std::vector<float>& numbers, std::size_t features) {
    const std::size_t examples = numbers.size() / features;
    const auto count = static_cast<double>(examples);
    for (std::size_t column = 0; column < features; ++column) {
      double sum = 0, squares = 0;
      for (std::size_t i = column; i < numbers.size(); i += features) {
        sum += static_cast<double>(numbers[i]);
        squares += static_cast<double>(numbers[i]) * static_cast<double>(numbers[i]);
      }
      const double mean = sum / count, deviation = std::sqrt(std::max(squares / count - mean * mean, 1e-12));
      for (std::size_t i = column; i < numbers.size(); i += features)
        numbers[i] = static_cast<float>((static_cast<double>(numbers[i]) - mean) / deviation);
    }
  }

  Values every(const std::vector<float>& numbers, const std::vector<std::int32_t>& labels, std::size_t features,
               bool for_tests) const {
    std::vector<float> image;
    std::vector<std::int32_t> label;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if ((i % static_cast<std::size_t>(test_every_) == 0) != for_tests) continue;
      label.push_back(labels[i]);
      const auto row = numbers.begin() + static_cast<std::ptrdiff_t>(i * features);
      image.insert(image.end(), row, row + static_cast<std::ptrdiff_t>(features));
    }
    const auto count = static_cast<std::int64_t>(label.size());
    return {{"image", Array({count, static_cast<std::int64_t>(features)}, image)}, {"label", Array({count}, label)}};
  }

  std::string file_, label_;
  int test_every_;
  mutable std::once_flag read_;
  mutable Values train_, test_;
};

LOPT_PLUGIN(Csv, "labelled_csv", {.summary = "Examples from a CSV file with a line of names"})
