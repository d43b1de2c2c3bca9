#include "spec/distribution.h"

#include "random/threefry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace lopt {
namespace {

const std::vector<std::string> distributions{"choice", "uniform", "log_uniform", "integers"};

bool is_distribution(const std::string& name) {
  return std::find(distributions.begin(), distributions.end(), name) != distributions.end();
}

std::optional<double> finite_number(const SpecNode& node) {
  double value = 0;
  const char *begin = node.text.data(), *end = begin + node.text.size();
  const auto [stop, code] = std::from_chars(begin, end, value);
  if (node.kind != SpecNode::Kind::scalar || code != std::errc() || stop != end || !std::isfinite(value))
    return std::nullopt;
  return value;
}

}  // namespace

double SpecDraw::next() {
  const HostKey bits = threefry(key_, 0, draws_++);
  return (static_cast<double>(bits.high >> 6U) * 0x1p27 + static_cast<double>(bits.low >> 5U)) * 0x1p-53;
}

SpecNode SpecDraw::of(const SpecNode& node, const std::string& path, SpecErrors& errors) {
  if (node.is_mapping() && !node.find("plugin") && !node.entries.empty()) {
    const std::string& name = node.entries.front().first;
    const bool weighted = node.entries.size() == 2 && node.find("weights");
    if (is_distribution(name) && (node.entries.size() == 1 || (weighted && name == "choice")))
      return name == "choice" ? choice(node, path, errors) : number(node.entries.front().second, name, path, errors);
    if (is_distribution(name))
      errors.add(
          node.where, path,
          fmt::format("a distribution has nothing beside '{}'{}", name, name == "choice" ? " but `weights`" : ""));
    else
      errors.add(
          node.where, path,
          fmt::format("is a mapping without `plugin`; '{}' is no distribution{} (choice, uniform, log_uniform and "
                      "integers are)",
                      name, did_you_mean(name, distributions)));
    SpecNode nothing;
    nothing.where = node.where;
    return nothing;
  }
  SpecNode result = node;
  for (auto& [key, value] : result.entries) value = of(value, path + "." + key, errors);
  for (SpecNode& item : result.items) item = of(item, path, errors);
  return result;
}

SpecNode SpecDraw::choice(const SpecNode& node, const std::string& path, SpecErrors& errors) {
  const SpecNode &list = node.entries.front().second, *weights = node.find("weights");
  const double place = next();
  SpecNode nothing;
  nothing.where = node.where;
  if (list.kind != SpecNode::Kind::sequence || list.items.empty()) {
    errors.add(list.where, path + ".choice", "must be a list of what is chosen from, as in [relu, tanh]");
    return nothing;
  }
  std::vector<double> shares(list.items.size(), 1);
  if (weights) {
    if (weights->kind != SpecNode::Kind::sequence || weights->items.size() != shares.size()) {
      errors.add(weights->where, path + ".weights", fmt::format("must be a list of {} numbers", shares.size()));
      return nothing;
    }
    double total = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const std::optional<double> share = finite_number(weights->items[i]);
      if (!share || *share < 0) {
        errors.add(weights->items[i].where, path + ".weights", "must be numbers of at least 0");
        return nothing;
      }
      total += shares[i] = *share;
    }
    if (total <= 0) {
      errors.add(weights->where, path + ".weights", "must not all be 0");
      return nothing;
    }
  }
  double total = 0, passed = 0;
  for (const double share : shares) total += share;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] > 0) chosen = i;
    passed += shares[i];
    if (place * total < passed) break;
  }
  return of(list.items[chosen], path, errors);
}

SpecNode SpecDraw::number(const SpecNode& range, const std::string& name, const std::string& path, SpecErrors& errors) {
  const double place = next();
  SpecNode result;
  result.where = range.where;
  std::optional<double> low, high;
  if (range.kind == SpecNode::Kind::sequence && range.items.size() == 2) {
    low = finite_number(range.items[0]);
    high = finite_number(range.items[1]);
  }
  const auto refused = [&](const std::string& why) {
    errors.add(range.where, path + "." + name, why);
    return result;
  };
  if (!low || !high || *low > *high) return refused("must be two numbers, the smaller one first, as in [0.01, 0.3]");
  if (name == "log_uniform" && *low <= 0) return refused("must be two numbers above 0");
  if (name == "integers" && (*low != std::floor(*low) || *high != std::floor(*high)))
    return refused("must be two integers");
  if (name == "uniform")
    result = SpecNode::scalar(fmt::format("{}", *low + place * (*high - *low)));
  else if (name == "log_uniform")
    result = SpecNode::scalar(fmt::format("{:.9g}", std::clamp(*low * std::pow(*high / *low, place), *low, *high)));
  else
    result = SpecNode::scalar(fmt::format("{:.0f}", std::min(*high, *low + std::floor(place * (*high - *low + 1)))));
  result.where = range.where;
  return result;
}

}  // namespace lopt
