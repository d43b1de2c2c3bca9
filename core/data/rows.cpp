#include <lopt/rows.h>

#include "data/damaged.h"

#include <lopt/settings.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

namespace lopt {

RowSplit split_rows(std::int64_t count, double test_share, bool shuffle, const std::string& name) {
  constexpr std::uint64_t seed = 0x726f7773;  // "rows"
  const auto test = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(count) * test_share));
  if (test >= count) damaged(name, fmt::format("has {} examples, too few for two splits", count));
  std::vector<std::int32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (shuffle) {
    const Array random = permutation(HostKey::from_seed(seed), static_cast<std::int32_t>(count));
    order.assign(random.values<std::int32_t>().begin(), random.values<std::int32_t>().end());
  }
  const auto border = order.end() - test;
  return {{order.begin(), border}, {border, order.end()}};
}

Values rows_of(const Values& examples, std::span<const std::int32_t> rows) {
  return map(
      [&](const Array& all) {
        Type type = all.type();
        const std::size_t width = all.size() / static_cast<std::size_t>(type.shape.at(0)) * 4;
        type.shape[0] = std::ssize(rows);
        Array result(type);
        auto* to = static_cast<std::byte*>(result.mutable_data());
        for (const std::int32_t row : rows) {
          std::copy_n(static_cast<const std::byte*>(all.data()) + static_cast<std::size_t>(row) * width, width, to);
          to += width;
        }
        return result;
      },
      examples);
}

Classes classes_of(std::span<const std::string> labels) {
  const auto number_of = [](const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
    return is_number ? std::optional(number) : std::nullopt;
  };
  std::map<std::string, std::int32_t> numbers;
  for (const std::string& label : labels) numbers.emplace(label, 0);
  Classes classes;
  for (const auto& [name, number] : numbers) classes.names.push_back(name);
  if (std::ranges::all_of(classes.names, [&](const std::string& name) { return number_of(name).has_value(); }))
    std::ranges::stable_sort(classes.names, {}, number_of);
  for (std::size_t i = 0; i < classes.names.size(); ++i) numbers[classes.names[i]] = static_cast<std::int32_t>(i);
  for (const std::string& label : labels) classes.labels.push_back(numbers[label]);
  return classes;
}

std::string to_text(const Classes& classes) {
  constexpr std::size_t most = 100;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(most, classes.names.size()); ++i)
    names.push_back(fmt::format("{} is {}", i, in_quotes(classes.names[i])));
  return fmt::format("{} classes: {}{}", classes.names.size(), fmt::join(names, ", "),
                     classes.names.size() > most ? ", …" : "");
}

void refuse_data(const Dataset& dataset, const std::string& what) {
  const std::string source = dataset.source();
  if (!source.empty()) throw DataError(fmt::format("the dataset of {} {}", source, what));
  throw SettingsError("the dataset " + what);
}

Type array_type(const Dataset& dataset, const std::string& name, const std::string& wanted_by) {
  const Types types = dataset.example_types();
  if (!types.is_leaf() && types.contains(name) && types[name].is_leaf()) return types[name].leaf();
  std::vector<std::string> there;
  const std::vector<std::string> paths = types.paths();
  const std::vector<Type> leaves = types.leaves();
  for (std::size_t i = 0; i < paths.size(); ++i) there.push_back(fmt::format("'{}' {}", paths[i], to_text(leaves[i])));
  const char* hint = "";
  if (name == "label" && types.contains("y"))
    hint = "; where y holds classes, `y: classes` of npz or `label` of csv says so";
  if (name == "y" && types.contains("label"))
    hint = "; where labels are numbers to be found, `y: numbers` of npz or `target` of csv says so";
  refuse_data(dataset, fmt::format("has no array '{}', which {} wants; an example of it has {}{}", name, wanted_by,
                                   fmt::join(there, ", "), hint));
}

}  // namespace lopt
