#include "bridge/foreign_component.h"

#include "bridge/written_program.h"

#include <fmt/format.h>

namespace lopt {

Tree Traced::tree(const std::string& name) const {
  return tree_from_json<Tensor>(answer_.json.at(name), [&](const Json& number) { return value(number); });
}
Tensor Traced::value(const Json& number) const { return values_.at(number.get<std::size_t>()); }

TracerMessage ForeignComponent::question(const std::string& what) const {
  TracerMessage question;
  question.json = {{"ask", what}, {"component", name_}, {"settings", settings_}};
  return question;
}

Traced ForeignComponent::trace(const std::string& function, const Arguments& arguments, Json numbers) const {
  TracerMessage asked = question("trace");
  asked.json["function"] = function;
  std::vector<Tensor> leaves;
  Json& written = asked.json["arguments"] = Json::object();
  for (const auto& [name, tree] : arguments) {
    if (!tree) continue;
    written[name] = tree_json(*tree, [&](const Tensor& leaf) {
      leaves.push_back(leaf);
      return type_json(leaf.type());
    });
  }
  asked.json["numbers"] = std::move(numbers);
  TracerMessage answer = exchange_->ask(asked, traced_);
  try {
    std::vector<Tensor> values = read_nodes(answer, std::move(leaves), [&](const Json& settings) {
      return std::make_shared<const HostFunction>(
          settings,
          [workers = workers_, settings](std::span<const std::span<const float>> inputs, std::span<float> output) {
            workers->evaluate(settings, inputs, output);
          });
    });
    return {std::move(answer), std::move(values)};
  } catch (const BridgeError& error) {
    throw PluginError(fmt::format("{} of '{}': {}", function, name_, error.what()));
  }
}

TracerMessage ForeignComponent::ask(const std::string& what, Json more) const {
  TracerMessage asked = question(what);
  for (auto& [key, value] : more.items()) asked.json[key] = value;
  return exchange_->ask(asked, traced_);
}

TracerMessage ForeignComponent::ask_now(const std::string& what, TracerMessage more, const Answer& answer) const {
  TracerMessage asked = question(what);
  for (auto& [key, value] : more.json.items()) asked.json[key] = value;
  asked.bytes = std::move(more.bytes);
  return exchange_->ask_now(asked, answer);
}

std::shared_ptr<const void> ForeignComponent::component(const std::string& kind, const std::string& spec) const {
  SpecErrors errors;
  SpecNode resolved;
  SpecNode node = parse_spec(spec, fmt::format("what '{}' gives", name_));
  if (!traced_.empty() && node.is_mapping() && !node.find("traced"))
    node.set("traced", SpecNode::scalar(traced_, true));
  std::shared_ptr<const void> made = maker_(kind, node, path_.empty() ? kind : path_ + "." + kind, errors, resolved);
  errors.raise();
  return made;
}

}  // namespace lopt
