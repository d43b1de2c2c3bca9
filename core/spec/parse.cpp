// YAML to SpecNode. yaml-cpp 0.7 recurses on nesting and keeps duplicate keys, so the bytes are checked before it sees
// them, and its events, not its nodes, are used.
#include "spec/node.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <memory>
#include <optional>
#include <sstream>

namespace lopt {
namespace {

constexpr std::size_t most_nesting = 64;
constexpr std::size_t most_nodes = 100000;

/// The length of the UTF-8 character at `at`, or 0 if it is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(at);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : (first & 0xF0U) == 0xE0       ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0U) != 0x80) return 0;
  const unsigned second = byte(at + 1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
      (first == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

void check_bytes(std::string_view text, const std::string& source) {
  if (text.size() > most_spec_bytes)
    refuse({source}, fmt::format("the spec has {} bytes; at most {} are read", text.size(), most_spec_bytes));
  Location where{source, 1, 1};
  std::size_t nesting = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    if (length == 0) refuse(where, "a spec is UTF-8 text; this byte begins no UTF-8 character");
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t')
      refuse(where, "a spec is text; this is a control character");
    if (c == '[' || c == '{') ++nesting;
    if ((c == ']' || c == '}') && nesting > 0) --nesting;
    if (nesting > most_nesting) refuse(where, fmt::format("brackets are nested more than {} deep", most_nesting));
    if (c == '\n') {
      ++where.line;
      where.column = 1;
    } else {
      ++where.column;
    }
    i += length;
  }
}

/// Builds the tree from yaml-cpp's events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string source) : source_(std::move(source)) {}
  SpecNode take() { return std::move(root_); }
  SpecErrors& errors() { return errors_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      refuse(at(mark), "a second YAML document begins here; a spec is one document: remove the `---` before this line");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make(SpecNode::Kind::null, mark), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(at(mark), "this alias stands inside the value that it names");
    count_ += found->second.size;
    check_count(mark);
    add(found->second.node, 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    SpecNode node = make(SpecNode::Kind::scalar, mark);
    node.text = value;
    node.quoted = tag == "!";
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(SpecNode::Kind::sequence, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(SpecNode::Kind::mapping, mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    SpecNode node;
    YAML::anchor_t anchor;
    std::optional<std::string> key;
    Location key_place;
    std::size_t first_count;
    std::vector<SpecNode> merges;  // mappings behind `<<`, the first before the others
  };

  Location at(const YAML::Mark& mark) const { return {source_, mark.line + 1, mark.column + 1}; }
  SpecNode make(SpecNode::Kind kind, const YAML::Mark& mark) {
    ++count_;
    check_count(mark);
    SpecNode node;
    node.kind = kind;
    node.where = at(mark);
    return node;
  }
  void check_count(const YAML::Mark& mark) const {
    if (count_ > most_nodes)
      refuse(at(mark),
             fmt::format("the spec has more than {} values, those behind anchors counted each time", most_nodes));
  }
  void open(SpecNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= most_nesting)
      refuse(at(mark), fmt::format("values are nested more than {} deep", most_nesting));
    const std::size_t before = count_;
    open_.push_back({make(kind, mark), anchor, {}, {}, before, {}});
  }
  void close() {
    Open last = std::move(open_.back());
    open_.pop_back();
    for (SpecNode& merge : last.merges)
      for (auto& [key, value] : merge.entries)
        if (!last.node.find(key)) last.node.entries.emplace_back(key, std::move(value));
    add(std::move(last.node), last.anchor, count_ - last.first_count);
  }
  void add(SpecNode node, YAML::anchor_t anchor, std::size_t size = 1) {
    if (anchor) anchors_[anchor] = {node, size};
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == SpecNode::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      if (node.kind != SpecNode::Kind::scalar) refuse(node.where, "a key is a plain word");
      parent.key = node.text;
      parent.key_place = node.where;
    } else if (*parent.key == "<<") {
      add_merge(parent, std::move(node));
    } else {
      if (const SpecNode* first = parent.node.find(*parent.key))
        errors_.add(parent.key_place, "",
                    fmt::format("the key '{}' stands here a second time; the first is in line {}", *parent.key,
                                first->where.line));
      else
        parent.node.entries.emplace_back(*parent.key, std::move(node));
      parent.key.reset();
    }
  }

  /// YAML's merge key: entries of other mappings, where the mapping has none of its own of that name.
  void add_merge(Open& parent, SpecNode node) {
    std::vector<SpecNode> mappings{node};
    if (node.kind == SpecNode::Kind::sequence) mappings = std::move(node.items);
    for (SpecNode& mapping : mappings) {
      if (!mapping.is_mapping())
        refuse(parent.key_place, "the merge key `<<` takes a mapping, or a list of mappings, as in `<<: *base`");
      parent.merges.push_back(std::move(mapping));
    }
    parent.key.reset();
  }

  std::string source_;
  SpecNode root_;
  std::vector<Open> open_;
  struct Anchored {
    SpecNode node;
    std::size_t size = 0;  // values in it
  };
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t count_ = 0;
  int documents_ = 0;
  SpecErrors errors_;
};

}  // namespace

SpecNode parse_spec(std::string_view text, const std::string& source) {
  check_bytes(text, source);
  Builder builder(source);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {}
  } catch (const YAML::Exception& error) {
    refuse({source, error.mark.line + 1, error.mark.column + 1}, fmt::format("this is not YAML: {}", error.msg));
  }
  builder.errors().raise();
  return builder.take();
}

void apply_override(SpecNode& spec, const std::string& assignment) {
  const Location here{"command line"};
  const std::size_t equals = assignment.find('=');
  const std::string path = assignment.substr(0, equals);
  if (equals == std::string::npos || path.empty())
    refuse(here, fmt::format("'{}' is no setting; write key.path=value", assignment));
  SpecNode value = parse_spec(assignment.substr(equals + 1), "command line, " + path);
  value.where = {"command line", 0, 0};
  SpecNode* node = &spec;
  std::istringstream parts(path);
  std::string key, walked;
  std::vector<std::string> keys;
  while (std::getline(parts, key, '.')) keys.push_back(key);
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    walked += (walked.empty() ? "" : ".") + keys[i];
    SpecNode* next = node->find(keys[i]);
    if (!next) {
      if (value.kind == SpecNode::Kind::null) return;
      node->entries.emplace_back(keys[i], SpecNode::mapping());
      next = &node->entries.back().second;
      next->where = here;
    }
    if (next->kind == SpecNode::Kind::scalar) {  // a name alone is {plugin: name}
      SpecNode mapping = SpecNode::mapping({{"plugin", *next}});
      mapping.where = next->where;
      *next = std::move(mapping);
    }
    if (!next->is_mapping()) refuse(here, fmt::format("{} cannot be set: {} is no mapping", path, walked));
    node = next;
  }
  if (keys.empty() || keys.back().empty()) refuse(here, fmt::format("'{}' is no key path", path));
  if (value.kind == SpecNode::Kind::null)
    std::erase_if(node->entries, [&](const auto& entry) { return entry.first == keys.back(); });
  else
    node->set(keys.back(), std::move(value));
}

}  // namespace lopt
