#include "learn/theta_file.h"

#include "data/npz.h"

#include <fmt/format.h>

#include <filesystem>

namespace lopt {
namespace {

constexpr std::string_view mark = "lopt learned_optimizer\n";

std::string plugin_of(const SpecNode& component) {
  const SpecNode* plugin = component.is_mapping() ? component.find("plugin") : &component;
  return plugin ? plugin->text : "";
}

}  // namespace

void write_theta(const std::string& path, const Values& theta, const SpecNode& learned_optimizer) {
  write_npz(path, theta, std::string(mark) + to_yaml(learned_optimizer));
}

std::string theta_file(const std::string& run_or_file) {
  std::error_code error;
  return std::filesystem::is_directory(run_or_file, error) ? run_or_file + "/theta.npz" : run_or_file;
}

SpecNode rule_in(const std::string& file) {
  const std::string comment = npz_comment(file);
  return comment.starts_with(mark) ? parse_spec(std::string_view(comment).substr(mark.size()), file) : SpecNode();
}

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
  spec.set("learned_optimizer", std::move(rule));
}

}  // namespace lopt
