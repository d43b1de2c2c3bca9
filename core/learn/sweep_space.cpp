#include "learn/sweep_space.h"

#include "spec/distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace lopt {
namespace {

constexpr std::size_t most_combinations = 100'000;

/// `name(a, b)` as {name: [a, b]}; nothing where the text is no call.
std::optional<std::string> as_distribution(std::string_view text) {
  const auto trimmed = [](std::string_view words) {
    constexpr std::string_view blanks = " \t\n\v\f\r";
    const std::size_t begin = std::min(words.find_first_not_of(blanks), words.size());
    return words.substr(begin, words.find_last_not_of(blanks) + 1 - begin);
  };
  text = trimmed(text);
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || text.back() != ')') return std::nullopt;
  const std::string_view name = trimmed(text.substr(0, open));
  if (name != "uniform" && name != "log_uniform" && name != "integers") return std::nullopt;
  return fmt::format("{{{}: [{}]}}", name, text.substr(open + 1, text.size() - open - 2));
}

}  // namespace

SweepSpace::SweepSpace(const std::vector<std::string>& assignments) {
  SpecErrors errors;
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    const std::string key = assignment.substr(0, equals);
    if (equals == std::string::npos || key.empty()) {
      errors.add({}, assignment, "must be an assignment, as in estimator.std=[0.003, 0.01]");
      continue;
    }
    const std::string text = assignment.substr(equals + 1);
    const std::optional<std::string> distribution = as_distribution(text);
    if (!distribution && (text.empty() || text.front() != '[')) {
      shared_.push_back(assignment);
      continue;
    }
    SpecNode values = parse_spec(distribution.value_or(text), assignment);
    if (!distribution && values.items.empty()) errors.add({}, key, "must be a list with at least one value");
    if (distribution) static_cast<void>(SpecDraw(HostKey()).of(values, key, errors));
    has_distributions_ = has_distributions_ || distribution;
    axes_.push_back({key, std::move(values)});
  }
  if (axes_.empty() && errors.empty())
    errors.add({}, "sweep", "nothing varies: give a list or a distribution, as in 'estimator.std=[0.003, 0.01, 0.03]'");
  errors.raise();
}

std::size_t SweepSpace::grid_size() const {
  std::size_t size = 1;
  for (const Axis& axis : axes_)
    size = std::min(most_combinations, size * std::max<std::size_t>(1, axis.values.items.size()));
  return size;
}

std::vector<std::vector<std::string>> SweepSpace::trials(std::optional<std::size_t> count, HostKey key) const {
  std::vector<std::vector<std::string>> result;
  const auto text_of = [](const SpecNode& value) { return to_line(value); };
  if (!count) {
    for (std::size_t i = 0; i < grid_size(); ++i) {
      result.push_back(shared_);
      std::size_t rest = i;
      for (std::size_t a = axes_.size(); a-- > 0;) {
        const auto& items = axes_[a].values.items;
        result.back().insert(result.back().begin() + static_cast<std::ptrdiff_t>(shared_.size()),
                             axes_[a].key + "=" + text_of(items[rest % items.size()]));
        rest /= items.size();
      }
    }
    return result;
  }
  constexpr std::uint32_t most_attempts = 100;
  for (std::uint32_t attempt = 0; result.size() < *count; ++attempt) {
    SpecDraw draw(fold_in(key, attempt));
    std::vector<std::string> trial = shared_;
    SpecErrors none;
    for (const Axis& axis : axes_) {
      const SpecNode choice = axis.values.is_mapping() ? axis.values : SpecNode::mapping({{"choice", axis.values}});
      trial.push_back(axis.key + "=" + text_of(draw.of(choice, axis.key, none)));
    }
    const bool is_new = std::find(result.begin(), result.end(), trial) == result.end();
    if (is_new || attempt > most_attempts * *count) result.push_back(std::move(trial));
  }
  return result;
}

}  // namespace lopt
