// What components there are in another language, and their settings.
#include "registry/foreign.h"

#include "bridge/c_component.h"
#include "bridge/foreign_component.h"
#include "data/durable_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace lopt {

bool is_foreign_name(std::string_view name) {
  return name.find('.') != std::string_view::npos && name.find('/') == std::string_view::npos;
}

namespace {

Declaration declaration_of(const Json& json) {
  Declaration d;
  d.name = json.at("name").get<std::string>();
  d.type = json.at("type").get<std::string>();
  d.documentation = json.value("doc", "");
  d.unit = json.value("unit", "");
  d.required = !json.contains("default");
  d.low = json.value("low", d.low);
  d.high = json.value("high", d.high);
  d.low_is_out = json.value("low_is_out", false);
  d.high_is_out = json.value("high_is_out", false);
  d.choices = json.value("choices", std::vector<std::string>{});
  if (d.type == "integer") {
    d.low = std::max(d.low, -2147483647.0);
    d.high = std::min(d.high, 2147483647.0);
  }
  return d;
}

template <class Value>
std::optional<Value> default_of(const Json& json) {
  if (!json.contains("default") || json.at("default").is_null()) return std::nullopt;
  return json.at("default").get<Value>();
}

/// The spec of a component that a setting has, for the program at the other end.
Json component_json(const Declaration& d, const SpecReader& reader, bool there) {
  const SpecNode* node = reader.resolved().find(d.name);
  if (!there || !node || node->kind == SpecNode::Kind::null) return nullptr;
  return {{"kind", d.type}, {"spec", to_line(*node)}};
}

/// Declares a setting, and reads it.
Json setting_json(const Json& json, SpecReader& reader) {
  const Declaration d = declaration_of(json);
  // Nothing by default: what the spec does not have is left out.
  const auto given = json.find("default");
  if (given != json.end() && given->is_null() && !reader.take(d.name, d.type, d.documentation)) return nullptr;
  if (d.type == "real") return reader.real(d, default_of<double>(json));
  if (d.type == "integer") return reader.integer(d, default_of<std::int64_t>(json));
  if (d.type == "boolean") return reader.boolean(d, default_of<bool>(json));
  if (d.type == "text") return reader.text(d, default_of<std::string>(json));
  if (d.type == "integers") return reader.integers(d, default_of<std::vector<std::int64_t>>(json));
  if (d.type == "reals") return reader.reals(d, default_of<std::vector<double>>(json));
  if (d.type == "texts") return reader.texts(d, default_of<std::vector<std::string>>(json));
  if (d.type == "rate") {
    const RateValue value = reader.rate(d, default_of<double>(json));
    if (!value.schedule) return value.number;
    Declaration schedule = d;
    schedule.type = Schedule::kind;
    return component_json(schedule, reader, true);
  }
  const auto made = reader.component(d, default_of<std::string>(json).value_or(""));
  return component_json(d, reader, made != nullptr);
}

class Described final : public ForeignComponents {
 public:
  const ComponentInfo& find(const std::string& name, const std::string& traced) override {
    return of(name, traced).info;
  }
  std::shared_ptr<const void> create(const ComponentInfo& component, const std::string& traced, SpecReader& reader,
                                     const ComponentMaker& maker, const std::string& path) override {
    Json settings = Json::object();
    for (const Json& setting : of(component.name, traced).settings)
      settings[setting.at("name").get<std::string>()] = setting_json(setting, reader);
    // Data is kept by the registry, which it must not keep: only tasks and families name components.
    const bool names_others = component.kind == Task::kind || component.kind == TaskFamily::kind;
    ForeignComponent made(exchange_, component.name, settings, traced, names_others ? maker : ComponentMaker(), path);
    made.ask("make");  // what is wrong with the settings is found out here
    return foreign_object(component.kind, std::move(made));
  }
  std::vector<Declaration> declarations(const ComponentInfo& component) override {
    std::vector<Declaration> result;
    for (const Json& setting : of(component.name, "").settings) {
      Declaration d = declaration_of(setting);
      if (const auto given = setting.find("default"); given != setting.end() && !given->is_null())
        d.default_text = given->is_string() ? given->get<std::string>() : to_text(*given);
      result.push_back(std::move(d));
    }
    return result;
  }
  std::shared_ptr<const void> create_in_c(const ComponentInfo& component, const lopt_c_component& described,
                                          SpecReader& reader) override {
    const Json declared = described.settings ? parse_json(described.settings) : Json::array();
    if (!declared.is_array())
      throw PluginError(fmt::format("{}: its settings are no list of JSON", to_text(component)));
    Json settings = Json::object();
    for (const Json& setting : declared)
      settings[setting.at("name").get<std::string>()] = setting_json(setting, reader);
    auto exchange = std::make_shared<Exchange>(answers_of(described));
    return foreign_object(component.kind, ForeignComponent(exchange, component.name, settings, "", nullptr, ""));
  }
  void add_folder(const std::string& folder) override { exchange_->add_folder(folder); }
  void read_traced(const std::string& file) override {
    if (!std::filesystem::exists(file)) return;
    exchange_->read_traced(file);
    exchange_->add_folder(sources_beside(file));
  }
  /// What was traced is for shapes that were met. For others the source is kept beside it.
  void keep_traced(const std::string& file) override {
    exchange_->keep_traced(file);
    const std::lock_guard lock(mutex_);
    for (const auto& [key, known] : known_) keep_source(known.info, sources_beside(file));
  }

 private:
  static std::string sources_beside(const std::string& traced) {
    return (std::filesystem::absolute(traced).parent_path() / "python").string();
  }
  /// Of my_module.Momentum, my_module.py.
  static void keep_source(const ComponentInfo& component, const std::string& folder) {
    namespace fs = std::filesystem;
    const fs::path source = component.library_path;
    std::string module = component.name.substr(0, component.name.rfind('.'));
    std::replace(module.begin(), module.end(), '.', '/');
    const fs::path target = fs::path(folder) / (module + ".py");
    if (source.extension() != ".py" || !fs::is_regular_file(source) || fs::exists(target)) return;
    fs::create_directories(target.parent_path());
    write_durably(target.string(), file_text(source.string()));
  }

  struct Known {
    ComponentInfo info;
    Json settings;
  };

  Known& of(const std::string& name, const std::string& traced) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find({name, traced});
    if (found != known_.end()) return found->second;
    if (!traced.empty()) exchange_->add_folder(sources_beside(traced));
    TracerMessage question;
    question.json = {{"ask", "describe"}, {"component", name}};
    const Json said = exchange_->ask(question, traced).json;
    Known known;
    known.info.kind = said.at("kind").get<std::string>();
    known.info.name = name;
    known.info.summary = said.value("summary", "");
    known.info.paper = said.value("paper", "");
    known.info.version = said.value("version", "");
    known.info.library_path = said.value("file", "");
    known.info.source = "Python";
    known.info.is_foreign = true;
    known.settings = said.at("settings");
    return known_.emplace(std::pair(name, traced), std::move(known)).first->second;
  }

  std::mutex mutex_;
  std::shared_ptr<Exchange> exchange_ = std::make_shared<Exchange>();
  std::map<std::pair<std::string, std::string>, Known> known_;
};

}  // namespace

std::shared_ptr<ForeignComponents> foreign_components() { return std::make_shared<Described>(); }

}  // namespace lopt
