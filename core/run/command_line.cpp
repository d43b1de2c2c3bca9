#include "run/command_line.h"

#include "registry/foreign.h"
#include "registry/installation.h"

#include "learn/theta_file.h"
#include "spec/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace lopt {

namespace {

/// Paragraphs in lines of at most 100 characters; lines that are indented stay as they are.
std::string wrapped(const std::string& text) {
  constexpr std::ptrdiff_t width = 100;
  const auto characters = [](const std::string& s) {  // of UTF-8: bytes that begin one
    return std::ranges::count_if(s, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  };
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(' ')) {
      result += line + "\n";
      continue;
    }
    std::string filled;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (!filled.empty() && characters(filled) + 1 + characters(word) > width) {
        result += filled + "\n";
        filled.clear();
      }
      filled += (filled.empty() ? "" : " ") + word;
    }
    result += filled + "\n";
  }
  return result;
}

}  // namespace

namespace options {

std::optional<po::variables_map> parse(int argc, char** argv, const po::options_description& description,
                                       const std::string& usage, const std::string& about) {
  po::options_description visible("Options"), all;
  visible.add(description).add_options()("help,h", "show this and exit");
  all.add(visible).add_options()("positional", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("positional", -1);
  po::variables_map values;
  try {
    const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(argc, argv).options(all).positional(positional).style(style).run(), values);
    po::notify(values);
  } catch (const po::unknown_option& error) {
    std::vector<std::string> known;
    for (const auto& option : visible.options()) known.push_back("--" + option->long_name());
    throw UsageError(fmt::format("there is no option {}{}; usage: {}", error.get_option_name(),
                                 did_you_mean(error.get_option_name(), known), usage));
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}; usage: {}", error.what(), usage));
  }
  if (values.count("help") == 0) return values;
  std::ostringstream text;
  text << visible;
  fmt::print("Usage: {}\n\n{}\n{}", usage, wrapped(about), text.str());
  return std::nullopt;
}

std::vector<std::string> positional(const po::variables_map& values) {
  return values.count("positional") ? values["positional"].as<std::vector<std::string>>() : std::vector<std::string>{};
}

}  // namespace options

Registry make_registry(const std::vector<std::string>& plugin_paths, const std::vector<std::string>& first) {
  Registry registry;
  for (const std::string& path : first) registry.add_path(path, "plugin_path of the spec", true);
  for (const std::string& path : plugin_paths) registry.add_path(path, "--plugin-path", true);
  registry.add_default_paths();
  return registry;
}

SpecNode spec_with_overrides(const Options& options) {
  SpecNode spec = read_spec(options.spec);
  for (const std::string& assignment : options.overrides) apply_override(spec, assignment);
  if (!options.seed.empty()) apply_override(spec, "seed=" + options.seed);
  return spec;
}

std::vector<std::string> plugin_paths_in(const SpecNode& spec, const std::string& spec_file) {
  const SpecNode* node = spec.find("plugin_path");
  if (!node || node->kind == SpecNode::Kind::null) return {};
  std::vector<SpecNode> items = node->kind == SpecNode::Kind::sequence ? node->items : std::vector<SpecNode>{*node};
  std::vector<std::string> paths;
  for (const SpecNode& item : items) {
    if (item.kind != SpecNode::Kind::scalar)
      throw SpecError({fmt::format("{}: plugin_path: must be a folder or a list of folders", to_text(item.where))});
    // Relative to the file in which the path stands, which the spec may extend.
    const bool in_a_file = item.where.line > 0 && !item.where.source.starts_with("command line");
    const std::filesystem::path file = in_a_file ? item.where.source : spec_file;
    paths.push_back((file.parent_path() / item.text).lexically_normal().string());
  }
  return paths;
}

namespace {
/// The name of the first dataset plugin that has a setting `folder`.
std::string folder_dataset(Registry& registry) {
  if (!registry.find(Dataset::kind, "idx_images").empty()) return "idx_images";
  for (const ComponentInfo& component : registry.components())
    if (component.kind == Dataset::kind)
      for (const Declaration& declaration : registry.describe(component))
        if (declaration.name == "folder") return component.name;
  throw UsageError("--data needs a dataset plugin with a setting `folder`, and none was found");
}
/// Sets every `dataset` below a node; true if there was one.
bool replace_datasets(SpecNode& node, const SpecNode& dataset) {
  bool found = false;
  for (auto& [key, value] : node.entries) {
    if (key == "dataset") {
      value = dataset;
      found = true;
    } else {
      found = replace_datasets(value, dataset) || found;
    }
  }
  return found;
}
}  // namespace

void set_data_folder(SpecNode& spec, const std::string& folder, Registry& registry) {
  SpecNode dataset = SpecNode::mapping(
      {{"plugin", SpecNode::scalar(folder_dataset(registry))}, {"folder", SpecNode::scalar(folder, true)}});
  dataset.where = {"--data"};
  for (auto& [key, value] : dataset.entries) value.where = dataset.where;
  if (replace_datasets(spec, dataset)) return;
  SpecNode* task = spec.find("task");
  if (!task) throw UsageError("--data: the spec has no dataset to replace");
  if (!task->is_mapping()) {
    SpecNode mapping = SpecNode::mapping({{"plugin", *task}});
    mapping.where = task->where;
    *task = std::move(mapping);
  }
  task->set("dataset", dataset);
}

std::optional<int> train_length() {
  const char* text = std::getenv("LOPT_TRAIN_LENGTH");
  if (!text || !*text) return std::nullopt;
  int length = 0;
  const std::string_view view(text);
  const auto [end, code] = std::from_chars(view.data(), view.data() + view.size(), length);
  if (code != std::errc() || end != view.data() + view.size() || length < 1)
    throw UsageError(fmt::format("LOPT_TRAIN_LENGTH must be a number of steps, at least 1, not '{}'", view));
  return length;
}

namespace {
/// `configs/…` is of the installation where the working directory has none: who has installed lopt has no tree.
std::string here_or_installed(const std::string& path) {
  const std::string installed = installation_prefix() + "/share/lopt/" + path;
  std::error_code error;
  const bool is_installed = path.starts_with("configs/") && !std::filesystem::exists(path, error) &&
                            std::filesystem::exists(installed, error);
  return is_installed ? installed : path;
}
}  // namespace

SpecNode ready_spec(const Options& o, Registry& registry) {
  SpecNode spec = spec_with_overrides(o);
  const std::vector<std::string> paths_in_spec = plugin_paths_in(spec, o.spec);
  registry = make_registry(o.plugin_paths, paths_in_spec);
  // Modules lie beside the spec; what was traced for a run lies beside the run's own.
  const std::filesystem::path folder = std::filesystem::absolute(o.spec).parent_path();
  registry.foreign().add_folder(folder.string());
  registry.foreign().read_traced((folder / traced_file_name).string());
  if (!o.data.empty()) set_data_folder(spec, o.data, registry);
  name_learned_rules(spec);
  SpecNode paths;
  paths.kind = SpecNode::Kind::sequence;
  for (const auto* list : {&paths_in_spec, &o.plugin_paths})
    for (const std::string& path : *list)
      paths.items.push_back(SpecNode::scalar(std::filesystem::weakly_canonical(path).string(), true));
  if (!paths.items.empty()) spec.set("plugin_path", std::move(paths));
  return spec;
}

Experiment experiment_of(const Options& o, Registry& registry, SpecNode* written) {
  const SpecNode spec = ready_spec(o, registry);
  Experiment experiment = load_experiment(spec, registry, train_length());
  if (written) *written = spec;
  if (const SpecNode* paths = spec.find("plugin_path")) experiment.resolved.set("plugin_path", *paths);
  return experiment;
}

boost::program_options::options_description spec_options(Options& o) {
  boost::program_options::options_description description;
  description.add_options()("seed", boost::program_options::value(&o.seed), "the same as seed=…")(
      "data", boost::program_options::value(&o.data), "folder with IDX files to use as the dataset")(
      "plugin-path", boost::program_options::value(&o.plugin_paths),
      "folder or file with plugins; may be given more than once");
  return description;
}

void add_worker_options(boost::program_options::options_description& description, Options& o) {
  description.add_options()("threads", boost::program_options::value(&o.threads),
                            "worker threads (default: as many as affinity and cgroups allow)")(
      "quiet,q", boost::program_options::bool_switch(&o.quiet), "print nothing but errors");
}

std::optional<boost::program_options::variables_map> parse_spec_call(
    int argc, char** argv, const boost::program_options::options_description& description, Options& o,
    const std::string& usage, const std::string& about) {
  auto values = options::parse(argc, argv, description, usage, about);
  if (!values) return std::nullopt;
  if (values->count("threads") && (o.threads < 1 || o.threads > 1024))
    throw UsageError("--threads must be between 1 and 1024");
  const std::vector<std::string> positional = options::positional(*values);
  if (positional.empty()) throw UsageError("which spec? usage: " + usage);
  o.spec = here_or_installed(positional[0]);
  o.overrides.assign(positional.begin() + 1, positional.end());
  return values;
}

}  // namespace lopt
