// lopt-run preview: pictures of a spec, its data or one of its rates.
#include "report/preview.h"

#include "data/batch.h"
#include "execute/rates.h"
#include "learn/training.h"
#include "report/curves.h"
#include "data/durable_file.h"
#include "run/command_line.h"
#include "spec/reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lopt {
namespace {

namespace po = boost::program_options;

/// The mapping that holds the last name of "optimizer.inner.learning_rate" or "compare[1].learning_rate", and that
/// name. Throws UsageError with the names that there are.
std::pair<const SpecNode*, std::string> holder_of(const SpecNode& spec, const std::string& path) {
  const SpecNode* node = &spec;
  std::string rest = path;
  for (;;) {
    const std::size_t end = rest.find_first_of(".[");
    const std::string name = rest.substr(0, end);
    const SpecNode* child = node->is_mapping() ? node->find(name) : nullptr;
    if (!child) {
      std::vector<std::string> known;
      for (const auto& [key, value] : node->entries) known.push_back(key);
      throw UsageError(fmt::format("--rate {}: there is no '{}'{}", path, name,
                                   known.empty() ? "" : fmt::format("; there is {}", fmt::join(known, ", "))));
    }
    if (end == std::string::npos) return {node, name};
    if (rest[end] == '[') {
      const std::size_t close = rest.find("].", end), index = std::strtoul(rest.c_str() + end + 1, nullptr, 10);
      if (close == std::string::npos || index >= child->items.size())
        throw UsageError(fmt::format("--rate {}: '{}' has {} items, counted from 0", path, name, child->items.size()));
      child = &child->items[index];
      rest = rest.substr(close + 2);
    } else {
      rest = rest.substr(end + 1);
    }
    node = child;
  }
}

void draw_rate(const Experiment& experiment, Registry& registry, const std::string& path, const std::string& out) {
  const auto [holder, name] = holder_of(experiment.resolved, path);
  SpecErrors errors;
  SpecReader reader(*holder, path.substr(0, path.size() - std::min(path.size(), name.size() + 1)), errors,
                    registry.maker());
  Settings settings(reader);
  const Rate rate = settings.rate(name);
  errors.raise();
  const bool applied = path.starts_with("compare") && experiment.application;
  const std::int64_t steps = applied ? experiment.application->steps : experiment.steps;
  constexpr std::int64_t most = 100'000;
  const std::vector<double> rates = rates_of(rate, std::min(steps, most));
  write_durably(out, curves_svg(fmt::format("{}: {}", experiment.name, path), "update", "rate",
                                {{name, {rates.begin(), rates.end()}}}));
  fmt::print("{}: {:.6g} at step 0, {:.6g} at step {}\n{}\n", path, rates.front(), rates.back(), rates.size() - 1, out);
}

}  // namespace

int run_preview(int argc, char** argv) {
  Options o;
  std::string rate;
  po::options_description description = spec_options(o);
  description.add_options()("out", po::value(&o.out), "file to write (default: preview.png; preview.svg with --rate)")(
      "rate", po::value(&rate), "key path of a rate, which is drawn in place of images: optimizer.learning_rate");
  const std::string usage = "lopt-run preview SPEC [key.path=value …] [--out grid.png] [options]";
  if (!parse_spec_call(
          argc, argv, description, o, usage,
          "Draws the first 16 images of the first batch of a spec, with their labels; or a rate over all updates."))
    return success;
  Registry registry;
  const Experiment experiment = experiment_of(o, registry);
  if (o.out.empty()) o.out = rate.empty() ? "preview.png" : "preview.svg";
  if (!rate.empty()) {
    draw_rate(experiment, registry, rate, o.out);
    return success;
  }
  const Batches batches = experiment.family->task(0).batches();
  if (!batches.dataset) throw DataError("the task of this spec has no dataset to draw");
  write_preview(o.out, fmt::format("{}: first images of a batch of {}", experiment.name, batches.size),
                first_batch(batches, data_key(experiment.seed)));
  fmt::print("{}\n", o.out);
  return success;
}

}  // namespace lopt
