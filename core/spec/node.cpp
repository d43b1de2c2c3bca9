#include "spec/node.h"

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>

#include <algorithm>
#include <numeric>

#include <fnmatch.h>

namespace lopt {

SpecNode::SpecNode() = default;
SpecNode::SpecNode(const SpecNode&) = default;
SpecNode::SpecNode(SpecNode&&) noexcept = default;
SpecNode& SpecNode::operator=(const SpecNode&) = default;
SpecNode& SpecNode::operator=(SpecNode&&) noexcept = default;
SpecNode::~SpecNode() = default;

std::string to_text(const Location& location) {
  return location.line ? fmt::format("{}:{}:{}", location.source, location.line, location.column) : location.source;
}

SpecNode SpecNode::scalar(std::string text, bool quoted) {
  SpecNode node;
  node.kind = Kind::scalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}
SpecNode SpecNode::mapping(std::vector<std::pair<std::string, SpecNode>> entries) {
  SpecNode node;
  node.kind = Kind::mapping;
  node.entries = std::move(entries);
  return node;
}

const SpecNode* SpecNode::find(std::string_view key) const {
  for (const auto& [name, value] : entries)
    if (name == key) return &value;
  return nullptr;
}
SpecNode* SpecNode::find(std::string_view key) { return const_cast<SpecNode*>(std::as_const(*this).find(key)); }
void SpecNode::set(const std::string& key, SpecNode value) {
  if (SpecNode* old = find(key))
    *old = std::move(value);
  else
    entries.emplace_back(key, std::move(value));
}

namespace {
std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

/// Insertions, deletions, replacements and swaps of neighbours that turn a into b.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// A text as it is where that can be read again, else in quotes.
void emit_text(YAML::Emitter& out, const std::string& text, bool quoted) {
  const bool control =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
  if (quoted || control) out << YAML::DoubleQuoted;
  out << text;
}

void emit(YAML::Emitter& out, const SpecNode& node) {
  switch (node.kind) {
    case SpecNode::Kind::null: out << YAML::Null; break;
    case SpecNode::Kind::scalar: emit_text(out, node.text, node.quoted); break;
    case SpecNode::Kind::sequence: {
      const bool scalars = std::all_of(node.items.begin(), node.items.end(),
                                       [](const SpecNode& item) { return item.kind == SpecNode::Kind::scalar; });
      out << (scalars ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
      for (const SpecNode& item : node.items) emit(out, item);
      out << YAML::EndSeq;
      break;
    }
    case SpecNode::Kind::mapping:
      out << YAML::BeginMap;
      for (const auto& [key, value] : node.entries) {
        out << YAML::Key;
        emit_text(out, key, false);
        out << YAML::Value;
        emit(out, value);
      }
      out << YAML::EndMap;
      break;
  }
}
}  // namespace

SpecError::SpecError(std::vector<std::string> messages)
    : std::runtime_error(joined(messages)), messages_(std::move(messages)) {}

void refuse(const Location& where, const std::string& message) { throw SpecError({to_text(where) + ": " + message}); }

void SpecErrors::add(const Location& where, const std::string& path, const std::string& message) {
  const std::string place = to_text(where);
  std::string text = place + (place.empty() ? "" : ": ") + path + (path.empty() ? "" : ": ") + message;
  if (std::find(messages_.begin(), messages_.end(), text) == messages_.end()) messages_.push_back(std::move(text));
}
void SpecErrors::raise() const {
  if (!messages_.empty()) throw SpecError(messages_);
}

bool fits_pattern(const std::string& name, const std::string& pattern) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  if (name.size() > 200) return "";
  for (const std::string& candidate : known)
    if (const std::size_t d = distance(name, candidate); d < least) {
      least = d;
      best = &candidate;
    }
  return best ? fmt::format("; did you mean '{}'?", *best) : "";
}

std::string to_yaml(const SpecNode& node) {
  YAML::Emitter out;
  emit(out, node);
  return std::string(out.c_str()) + "\n";
}

std::string to_line(const SpecNode& node) {
  YAML::Emitter out;
  out.SetMapFormat(YAML::Flow);
  out.SetSeqFormat(YAML::Flow);
  emit(out, node);
  return out.c_str();
}

}  // namespace lopt
