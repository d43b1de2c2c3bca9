// lopt-run check-plugin: what an author wants to know of a plugin before others use it.
#include "conformance/check.h"
#include "registry/foreign.h"
#include "run/command_line.h"
#include "run/own_library.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace lopt {
namespace {

void print_line(const std::string& name, const Outcome& outcome) {
  const char* verdicts[] = {"passed", "FAILED", "skipped"};
  fmt::print("  {:<8} {:<14} {}\n", verdicts[static_cast<std::size_t>(outcome.verdict)], name, outcome.text);
  std::fflush(stdout);
}

}  // namespace

int run_check_plugin(int argc, char** argv) {
  namespace po = boost::program_options;
  std::vector<std::string> plugin_paths;
  po::options_description description;
  description.add_options()("plugin-path", po::value(&plugin_paths),
                            "folder or file with plugins that it uses; may be given more than once")(
      "time-limit", po::value<double>(),
      "seconds that a check may take (default: 3; of a component in Python, which is asked in another process, 20)");
  const std::string usage = "lopt-run check-plugin FILE|MODULE.NAME [setting=value …] [options]";
  const auto values = options::parse(argc, argv, description, usage,
                                     "Checks each component of a plugin file, or one of a Python module, each check in "
                                     "a process of its own: one line a check, exit code 3 if one fails. Components are "
                                     "made with their default settings, and those given where they declare them.");
  if (!values) return success;
  const std::vector<std::string> positional = options::positional(*values);
  if (positional.empty()) throw UsageError("which plugin file, or component of a Python module? usage: " + usage);
  const bool is_foreign = is_foreign_name(positional[0]) && !std::filesystem::exists(positional[0]);
  const double seconds = values->count("time-limit") ? (*values)["time-limit"].as<double>() : is_foreign ? 20 : 3;
  if (!(seconds > 0 && seconds <= 3600)) throw UsageError("--time-limit must be above 0 and at most 3600");
  SpecNode settings = SpecNode::mapping();
  for (std::size_t i = 1; i < positional.size(); ++i) apply_override(settings, positional[i]);

  fmt::print("{}\n", positional[0]);
  Registry registry;
  try {
    if (is_foreign)
      registry.foreign().find(positional[0], "");
    else
      registry.add_path(positional[0], "the command line", true);
  } catch (const PluginError& error) {
    print_line("manifest", fail(error.what()));
    return bad_plugin;
  }
  for (const std::string& path : plugin_paths) registry.add_path(path, "--plugin-path", true);
  registry.add_default_paths();
  const ComponentInfo* current = nullptr;
  int counts[3] = {};
  const auto report = [&](const ComponentInfo* component, const std::string& name, const Outcome& outcome) {
    if (component && component != current) fmt::print("{} {}\n", component->kind, component->name);
    current = component;
    ++counts[static_cast<std::size_t>(outcome.verdict)];
    print_line(name, outcome);
  };
  const boost::dll::shared_library checks = own_library("conformance", "plugins cannot be checked");
  std::string error;
  const bool good =
      checks.get<CheckPlugin>("lopt_check_plugin")(positional[0], settings, registry, seconds, report, error);
  if (!error.empty()) throw std::runtime_error(error);
  fmt::print("{} checks passed, {} failed, {} skipped\n", counts[0], counts[1], counts[2]);
  return good ? success : bad_plugin;
}

}  // namespace lopt
