// lopt-run schema: what specs may hold, for editors.
#include "learn/schema.h"

#include "data/durable_file.h"
#include "run/command_line.h"

#include <fmt/format.h>

namespace lopt {

int run_schema(int argc, char** argv) {
  std::vector<std::string> plugin_paths;
  std::string out;
  boost::program_options::options_description description;
  description.add_options()("out", boost::program_options::value(&out), "file to write (default: to the terminal)")(
      "plugin-path", boost::program_options::value(&plugin_paths),
      "folder or file with plugins; may be given more than once");
  const auto values =
      options::parse(argc, argv, description, "lopt-run schema [MODULE.NAME …] [--out lopt.schema.json] [options]",
                     "Writes a JSON schema of specs with the settings of every plugin that is found, and of the "
                     "components of Python modules that are named. An editor with YAML support completes and checks a "
                     "spec whose first line is: # yaml-language-server: $schema=lopt.schema.json");
  if (!values) return success;
  Registry registry = make_registry(plugin_paths);
  const std::string text = to_text(spec_schema(registry, options::positional(*values)), 1) + "\n";
  if (out.empty())
    fmt::print("{}", text);
  else
    write_durably(out, text);
  return success;
}

}  // namespace lopt
