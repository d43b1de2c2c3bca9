// lopt-run compare-estimators: bias and noise of estimators at equal cost.
#include "estimate/allowance.h"
#include "estimate/lane_stepper.h"
#include "learn/theta_file.h"
#include "report/estimator_report.h"
#include "report/run_folder.h"
#include "run/session/session.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

namespace lopt {
namespace {

namespace po = boost::program_options;

/// "60s", "2m", "1.5h" or "60". Throws UsageError.
double seconds_of(const std::string& text) {
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(used);
  const double scale = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (used == 0 || scale == 0 || !(value > 0) || !std::isfinite(value))
    throw UsageError(fmt::format("--budget: '{}' is no time; as in 60s, 5m or 1h", text));
  return value * scale;
}

std::vector<std::int64_t> lengths_of(const std::string& text) {
  std::vector<std::int64_t> result;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    std::size_t used = 0;
    std::int64_t value = 0;
    try {
      value = std::stoll(part, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != part.size() || value < 1 || value > (std::int64_t{1} << 30))
      throw UsageError(fmt::format("--lengths: '{}' is no number of steps; as in 30,300,3000", part));
    result.push_back(value);
  }
  return result;
}

/// Of a list of names or settings, each as in a spec.
std::vector<ComparedEstimator> estimators_of(const std::vector<std::string>& texts, const SpecNode& spec,
                                             Registry& registry) {
  const std::vector<ComparedEstimator> usual = usual_estimators(spec, registry);
  if (texts.empty()) return usual;
  // The spec's own comes first: its time is the measure of cost.
  std::vector<ComparedEstimator> result{usual.front()};
  for (const std::string& text : texts) {
    SpecNode node = parse_spec(text, "--estimator");
    if (node.kind == SpecNode::Kind::scalar) {
      const auto known = std::find_if(usual.begin(), usual.end(),
                                      [&](const ComparedEstimator& one) { return one.label == node.text; });
      if (known == usual.begin()) continue;
      if (known != usual.end()) {
        result.push_back(*known);
        continue;
      }
      node = SpecNode::mapping({{"plugin", node}});
    }
    SpecErrors errors;
    SpecNode resolved;
    registry.make(GradientEstimator::kind, node, "--estimator", errors, resolved);
    errors.raise();
    result.push_back({node.entries.size() == 1 ? node.find("plugin")->text : to_line(node), node});
  }
  return result;
}

}  // namespace

int run_compare_estimators(int argc, char** argv) {
  Options o;
  std::string theta, budget = "60s", lengths;
  std::vector<std::string> estimators;
  po::options_description description = spec_options(o);
  description.add_options()("theta", po::value(&theta),
                            "the run, or file, at whose θ they are compared (default: its start)")(
      "budget", po::value(&budget), "time for all of it, as in 60s (the default), 5m, 1h")(
      "estimator", po::value(&estimators),
      "one to compare beside the spec's own, by name or as in a spec; may be given more than once (default: all that "
      "fit)")("lengths", po::value(&lengths), "steps of problems, as in 30,300,3000 (default: the spec's)")(
      "out", po::value(&o.out), "folder to write (default: runs/DATE-NAME)");
  add_worker_options(description, o);
  const std::string usage = "lopt-run compare-estimators SPEC|RUN [key.path=value …] [options]";
  if (!parse_spec_call(
          argc, argv, description, o, usage,
          "Says which gradient estimator is best for a meta-training: at one θ, what each one's mean misses of the "
          "true meta-gradient (bias) and how noisy it is for the same time (noise), with intervals. The truth is the "
          "exact gradient of whole problems, or a long average by evolution strategies where that is surer."))
    return success;
  const double seconds = seconds_of(budget);
  const std::vector<std::int64_t> problem_lengths = lengths_of(lengths);
  if (std::filesystem::is_directory(o.spec)) {
    if (theta.empty()) theta = o.spec;
    o.spec += "/spec.yaml";
  }
  Registry registry;
  SpecNode spec = ready_spec(o, registry);
  if (!theta.empty()) spec.set("init_theta", SpecNode::scalar(theta, true));
  const std::vector<ComparedEstimator> compared = estimators_of(estimators, spec, registry);
  const int threads = o.threads ? o.threads : allowed_threads().threads;
  hear_signals();
  const auto note = [&](const std::string& what) {
    if (!o.quiet) fmt::print(stderr, "{}\n", what);
  };
  EstimatorComparison comparison;
  try {
    comparison = compare_estimators(spec, registry, compared, problem_lengths, seconds, threads, stop_wanted, note);
  } catch (const Interrupted&) {
    return interrupted;
  }
  const EstimatorReport report(std::move(comparison));
  const SpecNode* named = spec.find("name");
  const std::string name = named ? named->text : "run";
  RunFolder folder = RunFolder::make(o.out, name + "-estimators");
  folder.write("spec.yaml", to_yaml(spec));
  folder.write_json("comparison.json", report.json());
  folder.write("comparison.txt", report.text());
  int number = 0;
  for (const Figure& figure : report.figures())
    folder.write(++number == 1 ? "figure.svg" : fmt::format("figure-{}.svg", number), figure_svg(figure));
  folder.write("report.html", report.page(fmt::format("Estimators for {}", name)));
  if (!o.quiet)
    fmt::print("{}\n{}  (report.html, comparison.json, comparison.txt, figure.svg)\n", report.text(), folder.path());
  return success;
}

}  // namespace lopt
