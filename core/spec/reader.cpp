#include "spec/reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

namespace lopt {
namespace {

std::string shown(const SpecNode& node) {
  switch (node.kind) {
    case SpecNode::Kind::null: return "nothing";
    case SpecNode::Kind::sequence: return "a list";
    case SpecNode::Kind::mapping: return "a mapping";
    default: return "'" + (node.text.size() > 60 ? node.text.substr(0, 60) + "…" : node.text) + "'";
  }
}
std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && stop == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// How to write what was meant by a text that is a number elsewhere: 1_000, 0x10, 1/3, "0.1", 1,5, 10 %. Empty for
/// others.
std::string as_number(const SpecNode& node) {
  if (node.kind != SpecNode::Kind::scalar) return "";
  std::string text = node.text;
  if (node.quoted && number_in(text)) return fmt::format("; write {} without quotes", text);
  std::optional<double> value;
  std::string why;
  if (std::uint64_t hexadecimal = 0; text.starts_with("0x") || text.starts_with("0X")) {
    const auto [stop, code] = std::from_chars(text.data() + 2, text.data() + text.size(), hexadecimal, 16);
    if (code == std::errc() && stop == text.data() + text.size()) value = static_cast<double>(hexadecimal);
  } else if (const std::size_t slash = text.find('/'); slash != std::string::npos) {
    const auto above = number_in(std::string_view(text).substr(0, slash)),
               below = number_in(std::string_view(text).substr(slash + 1));
    if (above && below && *below != 0) value = *above / *below;
  } else if (text.ends_with('%')) {
    value = number_in(std::string_view(text).substr(0, text.find_last_not_of(" %") + 1));
    if (value) *value /= 100;
  } else if (std::count(text.begin(), text.end(), ',') == 1) {
    std::replace(text.begin(), text.end(), ',', '.');
    value = number_in(text);
    why = " with a point";
  } else {
    std::erase_if(text, [](char c) { return c == '_' || c == ' ' || c == '\''; });
    if (text != node.text) value = number_in(text);
  }
  return value ? fmt::format("; write {}{}", *value, why) : "";
}
std::string bool_text(bool value) { return value ? "true" : "false"; }
SpecNode sequence_of(const std::vector<std::int64_t>& values) {
  SpecNode node;
  node.kind = SpecNode::Kind::sequence;
  for (std::int64_t value : values) node.items.push_back(SpecNode::scalar(std::to_string(value)));
  return node;
}

/// The items of a sequence; anything else is a sequence of one.
std::span<const SpecNode> elements_of(const SpecNode& node) {
  if (node.kind == SpecNode::Kind::sequence) return node.items;
  return {&node, 1};
}

}  // namespace

std::string range_text(const Declaration& d) {
  const bool low = std::isfinite(d.low) && d.low > -2147483647, high = std::isfinite(d.high) && d.high < 2147483647;
  std::string text;
  if (low) text += fmt::format("{} {}", d.low_is_out ? "above" : "at least", d.low);
  if (high) text += fmt::format("{}{} {}", low ? " and " : "", d.high_is_out ? "below" : "at most", d.high);
  return text;
}

SpecReader::SpecReader(const SpecNode& node, std::string path, SpecErrors& errors, ComponentMaker make_component,
                       std::vector<std::string> taken)
    : node_(node),
      path_(std::move(path)),
      errors_(errors),
      make_component_(std::move(make_component)),
      known_(std::move(taken)) {}

std::string SpecReader::path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

void SpecReader::error(const SpecNode& node, const std::string& key, const std::string& message) {
  errors_.add(node.where, path_of(key), message);
}

const SpecNode* SpecReader::take(const std::string& key) {
  known_.push_back(key);
  return node_.find(key);
}

const SpecNode* SpecReader::take(const std::string& key, const std::string& type, const std::string& documentation) {
  Declaration d;
  d.name = key;
  d.type = type;
  d.documentation = documentation;
  return declare(std::move(d), "");
}

const SpecNode* SpecReader::declare(Declaration d, std::string default_text) {
  d.default_text = std::move(default_text);
  const SpecNode* value = take(d.name);
  if (!value && d.required && !describing_)
    errors_.add(node_.where, path_of(d.name),
                fmt::format("is missing{}", d.documentation.empty() ? "" : ": " + d.documentation));
  declarations_.push_back(std::move(d));
  return value;
}

bool SpecReader::in_range(const SpecNode& node, const Declaration& d, double value) {
  const bool low = d.low_is_out ? value > d.low : value >= d.low,
             high = d.high_is_out ? value < d.high : value <= d.high;
  if (low && high && std::isfinite(value)) return true;
  const std::string range = range_text(d);
  error(node, d.name, fmt::format("must be {}, not {}", range.empty() ? "a finite number" : range, shown(node)));
  return false;
}

std::optional<double> SpecReader::number(const SpecNode& node, const Declaration& d) {
  double value = 0;
  const char *begin = node.text.data(), *end = begin + node.text.size();
  if (begin != end && *begin == '+') ++begin;
  const auto [stop, code] = std::from_chars(begin, end, value);
  if (node.kind != SpecNode::Kind::scalar || node.quoted || stop != end || begin == end) {
    const std::string lower = node.text;
    if (lower == ".nan" || lower == ".inf" || lower == "-.inf" || lower == ".NaN" || lower == ".Inf")
      error(node, d.name, fmt::format("must be a finite number, not {}", shown(node)));
    else
      error(node, d.name, fmt::format("must be a number, not {}{}", shown(node), as_number(node)));
    return std::nullopt;
  }
  if (code == std::errc::result_out_of_range) {
    error(node, d.name, fmt::format("{} is out of the range of numbers", shown(node)));
    return std::nullopt;
  }
  if (!in_range(node, d, value)) return std::nullopt;
  return value;
}

double SpecReader::real(const Declaration& d, std::optional<double> fallback) {
  const SpecNode* node = declare(d, fallback ? fmt::format("{}", *fallback) : "");
  const std::optional<double> value = node ? number(*node, d) : std::nullopt;
  const double result = value.value_or(fallback.value_or(std::isfinite(d.low) ? d.low + d.low_is_out : 0));
  resolved_.set(d.name, SpecNode::scalar(fmt::format("{}", result)));
  return result;
}

std::int64_t SpecReader::integer(const Declaration& d, std::optional<std::int64_t> fallback) {
  const SpecNode* node = declare(d, fallback ? fmt::format("{}", *fallback) : "");
  std::optional<double> value = node ? number(*node, d) : std::nullopt;
  if (value && *value != std::floor(*value)) {
    error(*node, d.name, fmt::format("must be a whole number, not {}", shown(*node)));
    value.reset();
  }
  const std::int64_t result =
      value ? static_cast<std::int64_t>(*value)
            : fallback.value_or(std::isfinite(d.low) ? static_cast<std::int64_t>(std::max(d.low, 1.0)) : 1);
  resolved_.set(d.name, SpecNode::scalar(fmt::format("{}", result)));
  return result;
}

bool SpecReader::boolean(const Declaration& d, std::optional<bool> fallback) {
  const SpecNode* node = declare(d, fallback ? bool_text(*fallback) : "");
  bool result = fallback.value_or(false);
  if (node) {
    const bool is_true = node->text == "true" || node->text == "True" || node->text == "TRUE",
               is_false = node->text == "false" || node->text == "False" || node->text == "FALSE";
    if (node->kind != SpecNode::Kind::scalar || node->quoted || (!is_true && !is_false))
      error(*node, d.name, fmt::format("must be true or false, not {}", shown(*node)));
    else
      result = is_true;
  }
  resolved_.set(d.name, SpecNode::scalar(bool_text(result)));
  return result;
}

std::string SpecReader::text(const Declaration& d, const std::optional<std::string>& fallback) {
  const SpecNode* node = declare(d, fallback.value_or(""));
  std::string result = fallback.value_or("");
  if (node) {
    const bool wrong_choice =
        !d.choices.empty() && std::find(d.choices.begin(), d.choices.end(), node->text) == d.choices.end();
    if (node->kind != SpecNode::Kind::scalar)
      error(*node, d.name, fmt::format("must be a text, not {}", shown(*node)));
    else if (wrong_choice)
      error(*node, d.name,
            fmt::format("must be one of {}, not {}{}", fmt::join(d.choices, ", "), shown(*node),
                        did_you_mean(node->text, d.choices)));
    else
      result = node->text;
  }
  resolved_.set(d.name, SpecNode::scalar(result, true));
  return result;
}

std::vector<std::int64_t> SpecReader::integers(const Declaration& d,
                                               const std::optional<std::vector<std::int64_t>>& fallback) {
  const SpecNode* node = declare(d, fallback ? fmt::format("[{}]", fmt::join(*fallback, ", ")) : "");
  std::vector<std::int64_t> result = fallback.value_or(std::vector<std::int64_t>{});
  if (node && node->kind != SpecNode::Kind::sequence && (node->quoted || !number_in(node->text))) {
    error(*node, d.name, fmt::format("must be a list of whole numbers, as in [32, 32], not {}", shown(*node)));
  } else if (node) {
    std::vector<std::int64_t> values;
    for (const SpecNode& item : elements_of(*node)) {
      const std::optional<double> value = number(item, d);
      if (value && *value != std::floor(*value))
        error(item, d.name, fmt::format("must hold whole numbers, not {}", shown(item)));
      else if (value)
        values.push_back(static_cast<std::int64_t>(*value));
    }
    if (values.size() == elements_of(*node).size()) result = std::move(values);
  }
  resolved_.set(d.name, sequence_of(result));
  return result;
}

std::vector<double> SpecReader::reals(const Declaration& d, const std::optional<std::vector<double>>& fallback) {
  const SpecNode* node = declare(d, fallback ? fmt::format("[{}]", fmt::join(*fallback, ", ")) : "");
  std::vector<double> result = fallback.value_or(std::vector<double>{});
  if (node && node->is_mapping()) {
    error(*node, d.name, fmt::format("must be a list of numbers, as in [0.1, 0.01], not {}", shown(*node)));
  } else if (node) {
    std::vector<double> values;
    for (const SpecNode& item : elements_of(*node))
      if (const std::optional<double> value = number(item, d)) values.push_back(*value);
    if (values.size() == elements_of(*node).size()) result = std::move(values);
  }
  SpecNode resolved;
  resolved.kind = SpecNode::Kind::sequence;
  for (const double value : result) resolved.items.push_back(SpecNode::scalar(fmt::format("{}", value)));
  resolved_.set(d.name, std::move(resolved));
  return result;
}

std::vector<std::string> SpecReader::texts(const Declaration& d,
                                           const std::optional<std::vector<std::string>>& fallback) {
  const SpecNode* node = declare(d, fallback ? fmt::format("[{}]", fmt::join(*fallback, ", ")) : "");
  std::vector<std::string> result = fallback.value_or(std::vector<std::string>{});
  if (node) {
    std::vector<std::string> texts;
    const std::span<const SpecNode> items = elements_of(*node);
    for (const SpecNode& item : items) {
      std::string fault;
      if (item.kind != SpecNode::Kind::scalar)
        fault = fmt::format("must {} texts, not {}", &item == node ? "be a list of" : "hold", shown(item));
      else if (d.fault)
        fault = d.fault(item.text);
      if (fault.empty())
        texts.push_back(item.text);
      else
        error(item, d.name, fault);
    }
    if (items.empty() && d.not_empty) error(*node, d.name, "must have at least one entry");
    if (texts.size() == items.size() && (!texts.empty() || !d.not_empty)) result = std::move(texts);
  }
  SpecNode resolved;
  resolved.kind = SpecNode::Kind::sequence;
  for (const std::string& text : result) resolved.items.push_back(SpecNode::scalar(text, true));
  resolved_.set(d.name, std::move(resolved));
  return result;
}

void SpecReader::check_unknown() const {
  for (const auto& [key, value] : node_.entries)
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      std::vector<std::string> names = known_;
      std::string list = did_you_mean(key, known_);
      // {learning_rate: 0,1} is two keys.
      if (value.kind == SpecNode::Kind::null && number_in(key))
        list = "; if it belongs to the number before it, that is written with a point, as in 0.1";
      if (list.empty() && !names.empty()) list = fmt::format("; known here: {}", fmt::join(names, ", "));
      errors_.add(value.where, path_of(key), "is no setting" + (path_.empty() ? std::string(" of a spec") : "") + list);
    }
}

}  // namespace lopt
