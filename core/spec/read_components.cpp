// Settings that are components, or may be.
#include "random/threefry.h"
#include "spec/distribution.h"
#include "spec/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {

std::shared_ptr<const void> SpecReader::component(const Declaration& d, const std::string& fallback) {
  const SpecNode* node = declare(d, fallback);
  SpecNode by_default = fallback.starts_with('{') ? parse_spec(fallback, "a default") : SpecNode::scalar(fallback);
  by_default.where = node_.where;
  if (!node) {
    if (fallback.empty()) return nullptr;
    node = &by_default;
  }
  SpecNode resolved;
  std::shared_ptr<const void> result = make_component_(d.type, *node, path_of(d.name), errors_, resolved);
  resolved_.set(d.name, std::move(resolved));
  return result;
}

std::vector<DrawnComponent> SpecReader::drawn(const Declaration& d, std::int64_t count, std::uint64_t seed) {
  const SpecNode* node = declare(d, "");
  if (!node) return {};
  SpecNode base = node->is_mapping() ? *node : SpecNode::mapping({{"plugin", *node}});
  base.where = node->where;
  resolved_.set(d.name, *node);
  for (const auto& [key, value] : node_.entries) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    base.set(key, value);
    known_.push_back(key);
    resolved_.set(key, value);
  }
  std::vector<DrawnComponent> result;
  for (std::int64_t i = 0; i < count && errors_.empty(); ++i) {
    SpecDraw draw(threefry(HostKey::from_seed(seed), 1, static_cast<std::uint32_t>(i)));
    const SpecNode member = draw.of(base, path_, errors_);
    if (!errors_.empty()) break;
    SpecNode resolved;
    std::shared_ptr<const void> component = make_component_(d.type, member, path_, errors_, resolved);
    result.push_back({std::move(component), to_line(resolved)});
  }
  return result;
}

std::vector<DrawnComponent> SpecReader::components(const Declaration& d) {
  const SpecNode* node = declare(d, "");
  if (!node) return {};
  SpecNode all = *node;
  all.items.clear();
  if (node->kind != SpecNode::Kind::sequence || node->items.empty()) {
    error(*node, d.name, "must be a list with at least one");
    return {};
  }
  std::vector<DrawnComponent> result;
  const std::string kind = d.type.substr(0, d.type.size() - 1);
  for (const SpecNode& item : node->items) {
    SpecNode resolved;
    std::shared_ptr<const void> component =
        make_component_(kind, item, fmt::format("{}[{}]", path_of(d.name), result.size()), errors_, resolved);
    result.push_back({std::move(component), to_line(resolved)});
    all.items.push_back(std::move(resolved));
  }
  resolved_.set(d.name, std::move(all));
  return result;
}

std::vector<NamedComponent> SpecReader::named(const Declaration& declared) {
  Declaration d = declared;
  d.required = false;
  const SpecNode* node = declare(d, "");
  if (!node) return {};
  if (!node->is_mapping()) {
    error(*node, d.name, "must be a mapping of names to components, as in {\"b*\": {plugin: NAME}}");
    return {};
  }
  SpecNode all = SpecNode::mapping();
  std::vector<NamedComponent> result;
  const std::string kind = d.type.substr(0, d.type.size() - 1);
  for (const auto& [name, item] : node->entries) {
    SpecNode resolved;
    const std::string path = path_of(d.name) + "." + name;
    result.push_back(
        {name, make_component_(kind, item, path, errors_, resolved), fmt::format("{}: {}", to_text(item.where), path)});
    all.set(name, std::move(resolved));
  }
  resolved_.set(d.name, std::move(all));
  return result;
}

RateValue SpecReader::rate(const Declaration& d, std::optional<double> fallback) {
  const SpecNode* schedule = node_.find(d.name);
  if (!schedule || !schedule->is_mapping()) return {real(d, fallback), nullptr, ""};
  declare(d, "");
  SpecNode resolved;
  RateValue value{0, make_component_("schedule", *schedule, path_of(d.name), errors_, resolved),
                  fmt::format("{}: {}", to_text(schedule->where), path_of(d.name))};
  resolved_.set(d.name, std::move(resolved));
  return value;
}

}  // namespace lopt
