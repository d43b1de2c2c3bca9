#include "learn/theta_file.h"

#include "learn/named_tasks.h"

#include "data/npz.h"
#include "data/safetensors.h"
#include "registry/foreign.h"
#include "registry/installation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace lopt {
namespace {

constexpr std::string_view mark = "lopt learned_optimizer\n";
/// A comment of the YAML behind the mark.
constexpr std::string_view horizon_mark = "# horizon: ";

}  // namespace

void write_theta(const std::string& path, const Values& theta, const SpecNode& learned_optimizer,
                 std::int64_t horizon) {
  const std::string steps = horizon > 0 ? fmt::format("{}{}\n", horizon_mark, horizon) : "";
  const std::string comment = std::string(mark) + to_yaml(learned_optimizer) + steps;
  write_npz(path, theta, comment);
  write_safetensors(std::filesystem::path(path).replace_extension("safetensors").string(), theta, comment);
}

std::int64_t horizon_in(const std::string& file) {
  const std::string comment = npz_comment(file);
  const std::size_t at = comment.find(horizon_mark);
  std::int64_t horizon = 0;
  if (comment.starts_with(mark) && at != std::string::npos)
    std::from_chars(comment.data() + at + horizon_mark.size(), comment.data() + comment.size(), horizon);
  return horizon;
}

std::string theta_file(const std::string& name) {
  std::error_code error;
  const std::filesystem::path recipes = installation_prefix() + "/share/lopt/configs/recipes";
  const bool is_plain = std::all_of(
      name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  // A recipe's name is that wherever one stands; a folder that is called so is ./NAME.
  if (const auto file = recipes / name / "theta.npz"; is_plain && std::filesystem::exists(file, error))
    return file.string();
  if (std::filesystem::is_directory(name, error)) return name + "/theta.npz";
  if (!is_plain || std::filesystem::exists(name, error)) return name;
  std::vector<std::string> known;
  for (const auto& entry : std::filesystem::directory_iterator(recipes, error))
    if (std::filesystem::exists(entry.path() / "theta.npz", error)) known.push_back(entry.path().filename().string());
  std::sort(known.begin(), known.end());
  throw DataError(fmt::format("{}: there is no such run or file, and no recipe of that name{}", name,
                              known.empty() ? "" : fmt::format("; there is {}", fmt::join(known, ", "))));
}

SpecNode rule_in(const std::string& file) {
  const std::string comment = npz_comment(file);
  return comment.starts_with(mark) ? parse_spec(std::string_view(comment).substr(mark.size()), file) : SpecNode();
}

namespace {
/// Names the file of what was traced, beside each component that is described in another language.
void name_traced(SpecNode& node, const std::string& traced) {
  for (auto& [key, value] : node.entries) name_traced(value, traced);
  for (SpecNode& item : node.items) name_traced(item, traced);
  if (node.is_mapping() && is_foreign_name(plugin_of(node)) && !node.find("traced"))
    node.set("traced", SpecNode::scalar(traced, true));
}

/// What was traced for the run in whose folder a file of θ lies, or in a folder of which; empty where nothing was.
std::string traced_beside(const std::string& file) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  for (const std::filesystem::path& place : {folder, folder.parent_path()})
    if (std::filesystem::exists(place / traced_file_name)) return (place / traced_file_name).string();
  return "";
}
}  // namespace

void require_rule(const std::string& file, const SpecNode& learned_optimizer, const Location& where,
                  const std::string& key) {
  const std::string there = plugin_of(rule_in(file)), here = plugin_of(learned_optimizer);
  if (!there.empty() && !here.empty() && there != here)
    refuse(where, fmt::format("{}: the θ in {} is of the learned optimizer '{}', but '{}' is to use it", key, file,
                              there, here));
}

void name_learned_rules(SpecNode& spec) {
  for (SpecNode& item : spec.items) name_learned_rules(item);
  for (auto& [key, value] : spec.entries) name_learned_rules(value);
  SpecNode* theta = spec.is_mapping() && plugin_of(spec) == "learned" ? spec.find("theta") : nullptr;
  if (!theta || theta->kind != SpecNode::Kind::scalar) return;
  theta->text = theta_file(theta->text);
  if (const SpecNode* named = spec.find("learned_optimizer"))
    return require_rule(theta->text, *named, theta->where, "theta");
  SpecNode rule = rule_in(theta->text);
  if (rule.kind == SpecNode::Kind::null)
    refuse(theta->where,
           fmt::format("theta: {} does not say which learned optimizer its θ is of; name it beside it, as in "
                       "learned_optimizer: {{plugin: …}}",
                       theta->text));
  if (const std::string traced = traced_beside(theta->text); !traced.empty()) name_traced(rule, traced);
  spec.set("learned_optimizer", std::move(rule));
}

}  // namespace lopt
