#include "spec/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace lopt {
namespace {

constexpr std::size_t most_files = 64;  // read for one spec, one that is extended twice counted twice
constexpr std::size_t comment_column = 44;

std::string text_of(std::istream& stream, const std::string& source) {
  std::string text(most_spec_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream && !stream.eof()) refuse({source}, fmt::format("the spec cannot be read: {}", std::strerror(errno)));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

/// The mapping that one file holds.
SpecNode read_file(const std::string& path) {
  SpecNode spec;
  if (path == "-") {
    spec = parse_spec(text_of(std::cin, "standard input"), "standard input");
  } else {
    std::ifstream file(path, std::ios::binary);
    if (!file) refuse({path}, fmt::format("the spec cannot be read: {}", std::strerror(errno)));
    spec = parse_spec(text_of(file, path), path);
  }
  if (spec.kind == SpecNode::Kind::null)
    refuse({path}, "the spec is empty; `lopt-run train --help` shows where examples are");
  if (!spec.is_mapping()) refuse(spec.where, "a spec is a mapping of keys to values, as in `name: pes`");
  std::erase_if(spec.entries, [](const auto& entry) { return entry.first.starts_with("x-"); });
  return spec;
}

/// The files of `extends`, as they are written.
std::vector<SpecNode> bases_of(const SpecNode& extends) {
  std::vector<SpecNode> files{extends};
  if (extends.kind == SpecNode::Kind::sequence) files = extends.items;
  for (const SpecNode& file : files)
    if (file.kind != SpecNode::Kind::scalar || file.text.empty())
      refuse(file.where, "extends: must be a file, or a list of files, as in `extends: ../tutorial/pes.yaml`");
  return files;
}

class Composer {
 public:
  SpecNode read(const std::string& path) {
    SpecNode spec = read_file(path);
    const SpecNode* extends = spec.find("extends");
    if (!extends) return spec;
    open_.push_back(identity(path));
    SpecNode below = SpecNode::mapping();
    for (const SpecNode& base : bases_of(*extends)) below = merged(below, read_base(base, path));
    open_.pop_back();
    std::erase_if(spec.entries, [](const auto& entry) { return entry.first == "extends"; });
    return merged(below, spec);
  }

 private:
  /// Two ways to write a file's name are one file.
  static std::string identity(const std::string& path) {
    std::error_code error;
    const auto canonical = std::filesystem::weakly_canonical(path, error);
    return error ? path : canonical.string();
  }

  SpecNode read_base(const SpecNode& base, const std::string& from) {
    const std::filesystem::path folder = from == "-" ? "" : std::filesystem::path(from).parent_path();
    const std::string path = (folder / base.text).lexically_normal().string();
    if (std::find(open_.begin(), open_.end(), identity(path)) != open_.end())
      refuse(base.where, fmt::format("extends: {} extends itself, by way of this line", path));
    if (++files_ > most_files) refuse(base.where, fmt::format("extends: more than {} files are extended", most_files));
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))
      refuse(base.where, fmt::format("extends: there is no file {}; paths are relative to this spec", path));
    return read(path);
  }

  std::vector<std::string> open_;  // the files that are being read, each extended by the one before
  std::size_t files_ = 0;
};

std::string one_line(const SpecNode& node) {
  std::string text = to_yaml(node);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_flat(const SpecNode& node) {
  return node.kind != SpecNode::Kind::mapping &&
         std::all_of(node.items.begin(), node.items.end(),
                     [](const SpecNode& item) { return item.kind == SpecNode::Kind::scalar; });
}

/// Lines of a value behind `head`, which ends with a key's colon or a list's dash.
void print(std::string& text, const std::string& head, std::size_t indent, const SpecNode& node,
           const SpecNode* written) {
  if (is_flat(node) || (node.entries.empty() && node.items.empty())) {
    const std::string line = head + " " + one_line(node);
    const std::string place = !written ? "default" : to_text(written->where);
    text += fmt::format("{:<{}} # {}\n", line, comment_column, place);
    return;
  }
  text += head + "\n";
  const std::string margin(indent + 2, ' ');
  // A name alone is {plugin: name}.
  const SpecNode* plugin = written && written->kind == SpecNode::Kind::scalar ? written : nullptr;
  for (const auto& [key, value] : node.entries)
    print(text, margin + one_line(SpecNode::scalar(key)) + ":", indent + 2, value,
          plugin && key == "plugin" ? plugin
          : written                 ? written->find(key)
                                    : nullptr);
  for (std::size_t i = 0; i < node.items.size(); ++i)
    print(text, margin + "-", indent + 2, node.items[i],
          written && i < written->items.size() ? &written->items[i] : nullptr);
}

}  // namespace

SpecNode merged(const SpecNode& below, const SpecNode& above) {
  if (!above.is_mapping()) return above;
  SpecNode result = below;
  if (below.kind == SpecNode::Kind::scalar && !above.find("plugin"))
    result = SpecNode::mapping({{"plugin", below}});  // a name alone
  if (!result.is_mapping()) return above;
  result.where = above.where;
  for (const auto& [key, value] : above.entries) {
    const SpecNode* old = result.find(key);
    if (value.kind == SpecNode::Kind::null)
      std::erase_if(result.entries, [&key = key](const auto& entry) { return entry.first == key; });
    else
      result.set(key, old ? merged(*old, value) : value);
  }
  return result;
}

SpecNode read_spec(const std::string& path) { return Composer().read(path); }

std::string to_yaml_with_places(const SpecNode& resolved, const SpecNode& written) {
  std::string text;
  for (const auto& [key, value] : resolved.entries)
    print(text, one_line(SpecNode::scalar(key)) + ":", 0, value, written.find(key));
  return text;
}

}  // namespace lopt
