// lopt-run describe: a plugin and its settings, rates, features.
#include "registry/foreign.h"
#include "run/command_line.h"

#include <lopt/features.h>
#include <lopt/schedule.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lopt {
namespace {

namespace po = boost::program_options;

std::string value_text(const Declaration& d) {
  std::vector<std::string> facts;
  if (!d.choices.empty()) facts.push_back(fmt::format("one of {}", fmt::join(d.choices, ", ")));
  if (const std::string range = range_text(d); !range.empty()) facts.push_back(range);
  if (!d.unit.empty()) facts.push_back("in " + d.unit);
  facts.push_back(d.required ? "required" : d.default_text.empty() ? "default empty" : "default " + d.default_text);
  return fmt::format("{}", fmt::join(facts, ", "));
}

int describe_schedules(Registry& registry) {
  fmt::print(
      "Every rate takes a number or a schedule, as in\n\n"
      "  learning_rate: {{plugin: warm_up, steps: 100, then: {{plugin: cosine, value: 0.01}}}}\n\n"
      "The first update takes the schedule at step 0, the last at steps − 1. A warm-up of n steps gives (i + 1)/n of "
      "what\nfollows, so that no update is made at rate 0, and what follows counts from its end. A schedule knows how "
      "many steps\nthe run has. `lopt-run preview SPEC --rate optimizer.learning_rate` draws one.\n");
  for (const ComponentInfo& c : registry.components()) {
    if (c.kind != Schedule::kind) continue;
    fmt::print("\n{:<20} {}\n", c.name, c.summary);
    for (const Declaration& d : registry.describe(c))
      fmt::print("  {:<18} {:<9} {} ({})\n", d.name, d.type, d.documentation, value_text(d));
  }
  return success;
}

int describe_features() {
  fmt::print(
      "Features of learned optimizers, as in `features: [parameter, momentum 0.99, normalized gradient, step]`.\n"
      "A decay that is not written is the default; `normalized` before a name divides by the root mean square in the "
      "tensor.\n\n");
  for (const FeatureInfo& feature : feature_list()) fmt::print("  {:<30} {}\n", feature.usage, feature.meaning);
  return success;
}
}  // namespace

int run_describe(int argc, char** argv) {
  std::vector<std::string> plugin_paths;
  po::options_description description;
  description.add_options()("plugin-path", po::value(&plugin_paths),
                            "folder or file with plugins; may be given more than once");
  const std::string usage = "lopt-run describe NAME [options]";
  const auto values = options::parse(argc, argv, description, usage,
                                     "Explains a plugin: what it is, where it was published, and its settings with "
                                     "their types, ranges, defaults and units.");
  if (!values) return success;
  const std::vector<std::string> names = options::positional(*values);
  if (names.size() != 1) throw UsageError("which plugin? usage: " + usage);
  if (names[0] == "features") return describe_features();
  Registry registry = make_registry(plugin_paths);
  if (names[0] == "schedules") return describe_schedules(registry);
  bool found = false;
  std::vector<std::string> known;
  std::vector<ComponentInfo> components = registry.components();
  if (is_foreign_name(names[0])) components = {registry.foreign().find(names[0], "")};
  for (const ComponentInfo& c : components) {
    known.push_back(c.name);
    if (c.name != names[0]) continue;
    fmt::print("{}{} ({})\n{}\n", found ? "\n" : "", c.name, c.kind, c.summary);
    if (!c.paper.empty()) fmt::print("Paper: {}\n", c.paper);
    if (!c.url.empty()) fmt::print("See: {}\n", c.url);
    if (c.is_foreign)
      fmt::print("From {}\n", c.library_path);
    else
      fmt::print("Version {}, licence {}, from {}\n", c.version, c.licence, c.library_path);
    const std::vector<Declaration> declarations = registry.describe(c);
    fmt::print("\nSettings:{}\n", declarations.empty() ? " none" : "");
    for (const Declaration& d : declarations)
      fmt::print("  {:<18} {:<10} {}\n  {:<18} {:<10} {}\n", d.name, d.type, d.documentation, "", "", value_text(d));
    found = true;
  }
  if (!found)
    throw UsageError(
        fmt::format("there is no plugin '{}'{}; `lopt-run list` shows all", names[0], did_you_mean(names[0], known)));
  return success;
}

}  // namespace lopt
