#include "learn/schema.h"

#include "learn/evaluation.h"
#include "registry/foreign.h"

#include <lopt/schedule.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace lopt {
namespace {

/// YAML 1.1 readers take 1e-3 for a text; it is a number here.
constexpr const char* number_pattern = "^[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?$";

Json reference(const std::string& name) { return {{"$ref", "#/$defs/" + name}}; }
Json any_of(Json schemas) { return {{"anyOf", std::move(schemas)}}; }
Json nullable(Json schema) { return any_of(Json::array({std::move(schema), {{"type", "null"}}})); }
Json list_of(const Json& item) { return {{"type", "array"}, {"items", item}}; }
/// A list, or one entry in its place.
Json one_or_list_of(const Json& item) { return any_of(Json::array({item, list_of(item)})); }
/// Names with these values.
Json mapping_of(const Json& value) { return {{"type", "object"}, {"additionalProperties", value}}; }

class SchemaOf {
 public:
  SchemaOf(Registry& registry, const std::vector<std::string>& foreign)
      : registry_(registry), components_(registry.components()) {
    for (const std::string& name : foreign) components_.push_back(registry.foreign().find(name, ""));
  }

  Json whole() {
    for (const std::string& kind : component_kinds()) add_kind(kind);
    Json tuned{{"type", "object"}, {"required", {"tuned"}}, {"additionalProperties", false}};
    tuned["properties"]["tuned"] = reference("optimizer");
    definitions_["compared"] = {{"if", {{"type", "object"}, {"required", {"tuned"}}}},
                                {"then", std::move(tuned)},
                                {"else", reference("optimizer")}};
    definitions_["evaluation"] = mapping_from(evaluation_keys(), true);
    definitions_["experiment"] = mapping_from(experiment_keys(), true);
    definitions_["partial"] = mapping_from(experiment_keys(), false);
    definitions_["experiment"]["allOf"] =
        Json::array({one_of_keys({"task", "task_family"}), one_of_keys({"optimizer", "learned_optimizer"})});
    definitions_["experiment"]["required"] = {"steps"};
    const Json builds_on_another = any_of(Json::array({{{"required", {"extends"}}}, {{"required", {"stages"}}}}));
    return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"title", "A spec of lopt"},
            {"type", "object"},
            {"if", any_of({{{"required", {"optimizers"}}}, {{"required", {"tasks"}}}})},
            {"then",
             {{"if", {{"required", {"extends"}}}},
              {"else", {{"required", {"tasks", "steps"}}}},
              {"allOf", {reference("evaluation")}}}},
            {"else", {{"if", builds_on_another}, {"then", reference("partial")}, {"else", reference("experiment")}}},
            {"$defs", std::move(definitions_)}};
  }

 private:
  static Json one_of_keys(const std::vector<std::string>& keys) {
    Json choices = Json::array();
    for (const std::string& key : keys) choices.push_back({{"required", Json::array({key})}});
    return {{"oneOf", std::move(choices)}};
  }

  /// A component: a name, or a mapping with `plugin`.
  void add_kind(const std::string& kind) {
    Json names = Json::array(), branches = Json::array();
    for (const ComponentInfo& component : components_) {
      if (component.kind != kind) continue;
      if (std::find(names.begin(), names.end(), Json(component.name)) != names.end()) continue;
      names.push_back(component.name);
      const std::string name = kind + "." + component.name;
      definitions_[name] = component_schema(component);
      branches.push_back({{"if", {{"properties", {{"plugin", {{"const", component.name}}}}}, {"required", {"plugin"}}}},
                          {"then", reference(name)}});
    }
    // A library may stand before a name, or a module of another language.
    Json name = any_of(Json::array({{{"enum", names}}, {{"type", "string"}, {"pattern", "[/.]"}}}));
    Json mapping{{"type", "object"}, {"properties", {{"plugin", name}}}, {"allOf", branches}};
    Json strict = mapping;
    strict["required"] = {"plugin"};
    const auto either = [&](Json of_mapping) {
      return Json{{"if", {{"type", "object"}}}, {"then", std::move(of_mapping)}, {"else", name}};
    };
    definitions_[kind] = either(std::move(strict));
    definitions_[kind + ".partial"] = either(std::move(mapping));
  }

  Json component_schema(const ComponentInfo& component) {
    Json properties{{"plugin", Json::object()}, {"sha256", {{"type", "string"}}}, {"traced", {{"type", "string"}}}};
    Json required = Json::array();
    bool takes_others = false;
    for (const Declaration& d : registry_.describe(component)) {
      properties[d.name] = setting(d);
      // `sampled` may draw its task's settings, and `tuned` finds the height of a schedule.
      if (d.required && component.kind != TaskFamily::kind && component.kind != Schedule::kind)
        required.push_back(d.name);
      // `sampled` hands the settings of its task on.
      takes_others = takes_others || (component.kind == TaskFamily::kind && d.type == Task::kind);
    }
    // A file of θ says which rule it is of.
    if (component.name == "learned")
      required.erase(std::remove(required.begin(), required.end(), Json("learned_optimizer")), required.end());
    Json result{{"type", "object"}, {"description", component.summary}, {"properties", std::move(properties)}};
    if (!required.empty()) result["required"] = std::move(required);
    if (!takes_others) result["additionalProperties"] = {{"type", "null"}};  // null removes what a spec below has
    return result;
  }

  static bool is_kind(const std::string& type) {
    const std::vector<std::string> kinds = component_kinds();
    return std::find(kinds.begin(), kinds.end(), type) != kinds.end();
  }

  static Json number(const Declaration& d, bool whole) {
    Json number{{"type", whole ? "integer" : "number"}};
    if (std::isfinite(d.low)) number[d.low_is_out ? "exclusiveMinimum" : "minimum"] = d.low;
    if (std::isfinite(d.high)) number[d.high_is_out ? "exclusiveMaximum" : "maximum"] = d.high;
    return any_of(Json::array({number, {{"type", "string"}, {"pattern", number_pattern}}}));
  }

  static Json value_of(const Declaration& d) {
    const Json text{{"type", {"string", "number", "boolean"}}};
    if (d.type == "real") return number(d, false);
    if (d.type == "integer") return number(d, true);
    if (d.type == "boolean") return {{"type", "boolean"}};
    if (d.type == "text" && !d.choices.empty()) return {{"enum", d.choices}};
    if (d.type == "text") return text;
    if (d.type == "reals") return one_or_list_of(number(d, false));
    if (d.type == "integers") return one_or_list_of(number(d, true));
    if (d.type == "texts") return one_or_list_of(text);
    if (d.type == "rate") return any_of(Json::array({number(d, false), reference("schedule")}));
    if (is_kind(d.type)) return reference(d.type);
    if (!d.type.empty() && is_kind(d.type.substr(0, d.type.size() - 1))) {
      const Json item = reference(d.type.substr(0, d.type.size() - 1));
      return any_of(Json::array({list_of(item), mapping_of(item)}));
    }
    return Json::object();
  }

  static Json setting(const Declaration& d) {
    Json schema = nullable(value_of(d));
    if (!d.documentation.empty()) schema["description"] = d.documentation + (d.unit.empty() ? "" : " (" + d.unit + ")");
    return schema;
  }

  /// What the keys hold that other parts of the core read. `strict`: components are whole.
  Json special(const SpecKey& key, bool strict) {
    const std::string& name = key.declaration.name;
    const Json compared = reference("compared");
    if (name == "compare") return list_of(compared);
    if (name == "relative_to" || name == "against") return compared;
    if (name == "optimizers") return any_of(Json::array({list_of(compared), mapping_of(nullable(compared))}));
    if (name == "tasks") {
      Json task = any_of(Json::array({reference("task"), reference("task_family")}));
      return any_of(Json::array({list_of(task), mapping_of(nullable(task))}));
    }
    if (name == "stages") return list_of(reference("partial"));
    if (!strict && is_kind(key.declaration.type)) return reference(key.declaration.type + ".partial");
    if (name == "meta_optimizer") return reference(strict ? "optimizer" : "optimizer.partial");
    return value_of(key.declaration);
  }

  Json mapping_from(const std::vector<SpecKey>& keys, bool strict) {
    Json properties = Json::object();
    std::map<std::string, Json> sections;
    for (const SpecKey& key : keys) {
      Json schema = nullable(special(key, strict));
      if (!key.declaration.documentation.empty()) schema["description"] = key.declaration.documentation;
      (key.section.empty() ? properties : sections[key.section])[key.declaration.name] = std::move(schema);
    }
    for (auto& [name, of_section] : sections) {
      Json section{{"type", "object"}, {"properties", std::move(of_section)}, {"additionalProperties", false}};
      properties[name] = nullable(std::move(section));
    }
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"patternProperties", {{"^x-", Json::object()}}},
            {"additionalProperties", false}};
  }

  Registry& registry_;
  std::vector<ComponentInfo> components_;
  Json definitions_ = Json::object();
};

}  // namespace

Json spec_schema(Registry& registry, const std::vector<std::string>& foreign) {
  return SchemaOf(registry, foreign).whole();
}

}  // namespace lopt
