#include "learn/estimator_comparison.h"

#include "learn/meta_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace lopt {
namespace {

using Clock = std::chrono::steady_clock;

/// Another unroller whose losses count at most so much, where an estimator of whole problems has no such setting.
class ClippedUnroller final : public Unroller {
 public:
  ClippedUnroller(const Unroller& inner, float clip) : inner_(inner), clip_(clip) {}
  std::vector<Lane> start(std::span<const LaneStart> starts) const override { return inner_.start(starts); }
  Unrolled unroll(std::vector<Lane> lanes, std::span<const Values> thetas,
                  const UnrollOptions& options) const override {
    return inner_.unroll(std::move(lanes), thetas, clipped(options));
  }
  Unrolled unroll_with_gradient(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                bool from_start, Values& gradient) const override {
    return inner_.unroll_with_gradient(std::move(lanes), theta, clipped(options), from_start, gradient);
  }
  Unrolled unroll_with_tangents(std::vector<Lane> lanes, const Values& theta, const UnrollOptions& options,
                                const TangentOptions& tangents, Slopes& slopes) const override {
    return inner_.unroll_with_tangents(std::move(lanes), theta, clipped(options), tangents, slopes);
  }
  Unrolled unroll_with_lane_gradients(std::vector<Lane> lanes, std::span<const Values> thetas,
                                      const UnrollOptions& options, bool from_start, std::span<const HostKey> signs,
                                      LaneGradients& gradients) const override {
    return inner_.unroll_with_lane_gradients(std::move(lanes), thetas, clipped(options), from_start, signs, gradients);
  }

 private:
  UnrollOptions clipped(UnrollOptions options) const {
    options.loss_clip = std::min(options.loss_clip, clip_);
    return options;
  }
  const Unroller& inner_;
  float clip_;
};

/// Means of estimates, over a problem's length each, or over several: neighbours share problems and noise.
struct Sample {
  std::vector<std::vector<double>> cycles;
  double seconds = 0;  // of all
  int estimates = 0;

  std::size_t count() const { return cycles.size(); }
  /// Joins neighbours until about sixteen are left, so that what they share is within one of them.
  void join_neighbours() {
    const std::size_t size = count() / 16 > 1 ? count() / 16 : count() >= 8 ? 2 : 1;
    std::vector<std::vector<double>> joined(count() / size);
    for (std::size_t i = 0; i < joined.size() * size; ++i) {
      std::vector<double>& sum = joined[i / size];
      sum.resize(cycles[i].size());
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += cycles[i][k] / static_cast<double>(size);
    }
    const double kept = static_cast<double>(joined.size() * size) / static_cast<double>(count());
    seconds *= kept;
    estimates = static_cast<int>(std::lround(estimates * kept));
    cycles = std::move(joined);
  }
  std::vector<double> mean() const {
    std::vector<double> result(cycles.empty() ? 0 : cycles[0].size(), 0);
    for (const auto& cycle : cycles)
      for (std::size_t i = 0; i < result.size(); ++i) result[i] += cycle[i] / static_cast<double>(count());
    return result;
  }
  /// Of one cycle, element by element.
  std::vector<double> variance() const {
    const std::vector<double> middle = mean();
    std::vector<double> result(middle.size(), 0);
    for (const auto& cycle : cycles)
      for (std::size_t i = 0; i < result.size(); ++i)
        result[i] += (cycle[i] - middle[i]) * (cycle[i] - middle[i]) / static_cast<double>(count() - 1);
    return result;
  }
};

double sum_of(const std::vector<double>& values) {
  double total = 0;
  for (const double x : values) total += x;
  return total;
}
double norm_of(const std::vector<double>& values) {
  double total = 0;
  for (const double x : values) total += x * x;
  return std::sqrt(total);
}

std::int64_t whole(const SpecNode& node, std::string_view key, std::int64_t otherwise) {
  const SpecNode* found = node.find(key);
  return found ? std::stoll(found->text) : otherwise;
}
double number(const SpecNode& node, std::string_view key, double otherwise) {
  const SpecNode* found = node.find(key);
  if (!found) return otherwise;
  return found->text == ".inf" || found->text == "inf" ? std::numeric_limits<double>::infinity()
                                                       : std::stod(found->text);
}
SpecNode text_node(const std::string& yaml) { return parse_spec(yaml, "a comparison of estimators"); }

/// The meta-training of a spec. Throws SpecError where it is none, or has stages.
Experiment meta_training_of(const SpecNode& spec, Registry& registry) {
  if (const SpecNode* stages = spec.find("stages"); stages && stages->kind != SpecNode::Kind::null)
    refuse(stages->where, "estimators are compared in one stage: take `stages` out, or put one of them in their place");
  Experiment result = load_experiment(spec, registry);
  if (result.kind != Experiment::Kind::meta_training)
    refuse(spec.where, "is no meta-training: estimators are compared at the θ of one, so it needs an `estimator`");
  return result;
}

class Measuring {
 public:
  Measuring(const SpecNode& spec, Registry& registry, int threads, const std::function<bool()>& interrupt)
      : spec_(spec), registry_(registry), threads_(threads), interrupt_(interrupt) {
    for (const char* key :
         {"apply", "compare", "checkpoint", "validate", "meta_training", "shards", "exchange", "staleness"})
      std::erase_if(spec_.entries, [&](const auto& entry) { return entry.first == key; });
    own_ = meta_training_of(spec_, registry_);
    settings_ = *own_.resolved.find("estimator");
    clip_ = static_cast<float>(number(settings_, "loss_clip", std::numeric_limits<double>::infinity()));
  }

  /// Steps of a problem, as the spec's own estimator has it.
  std::int64_t own_length() const { return own_.estimator->problem_steps(); }
  const SpecNode& own_settings() const { return settings_; }

  /// Estimates for about so many seconds; at least two cycles, and no more than `most_cycles`.
  Sample sample(const SpecNode& estimator, std::uint64_t seed, double seconds, std::size_t most_cycles = 4000) const {
    SpecNode spec = spec_;
    spec.set("estimator", estimator);
    const Experiment experiment = load_experiment(spec, registry_);
    MetaTraining training(experiment, threads_);
    training.set_interrupt(interrupt_);
    training.find_baseline();
    const ClippedUnroller unroller(training.unroller(), clip_);
    EstimatorState state = training.state();
    const SpecNode& resolved = *experiment.resolved.find("estimator");
    const std::int64_t segment = whole(resolved, "unroll_length", 1),
                       length = std::max<std::int64_t>(experiment.estimator->problem_steps(), segment);
    const auto segments = static_cast<std::size_t>((length + segment - 1) / segment);
    HostKey key = HostKey::from_seed(seed);
    Sample result;
    const auto cycle = [&] {
      std::vector<double> mean;
      for (std::size_t k = 0; k < segments; ++k) {
        if (interrupt_ && interrupt_()) throw Interrupted();
        const std::vector<HostKey> keys = split(key);
        key = keys[1];
        const Estimate estimate = experiment.estimator->estimate(training.theta(), keys[0], state, unroller);
        std::size_t at = 0;
        for (const Array& leaf : estimate.gradient.leaves())
          for (const float x : leaf.values<float>()) {
            if (at == mean.size()) mean.push_back(0);
            mean[at++] += static_cast<double>(x) / static_cast<double>(segments);
          }
      }
      return mean;
    };
    if (segments > 1) static_cast<void>(cycle());  // the first problems' beginnings are not like others
    const auto start = Clock::now();
    while (result.count() < 2 || (result.seconds < seconds && result.count() < most_cycles)) {
      result.cycles.push_back(cycle());
      result.estimates += static_cast<int>(segments);
      result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    }
    if (segments > 1) result.join_neighbours();
    return result;
  }

 private:
  SpecNode spec_;
  Registry& registry_;
  int threads_;
  const std::function<bool()>& interrupt_;
  Experiment own_;
  SpecNode settings_;
  float clip_ = std::numeric_limits<float>::infinity();
};

/// The truth with the sample behind it.
struct Truth {
  TrueGradient told;
  std::vector<double> mean, variance_of_mean;
};

Truth truth_of(const Sample& sample, std::int64_t length, const std::string& how) {
  Truth result{{length, how, 0, 0}, sample.mean(), sample.variance()};
  for (double& x : result.variance_of_mean) x /= static_cast<double>(sample.count());
  const double noise = sum_of(result.variance_of_mean), square = std::pow(norm_of(result.mean), 2);
  result.told.norm = std::sqrt(std::max(square - noise, 0.0));
  result.told.error = std::sqrt(noise) / std::max(result.told.norm, 1e-300);
  return result;
}

/// By the exact gradient, unless evolution strategies are surer: where gradients explode.
Truth find_truth(const Measuring& measuring, std::int64_t length, double seconds) {
  const std::int64_t tasks = whole(measuring.own_settings(), "tasks", 8);
  const double std = number(measuring.own_settings(), "std", 0.01);
  const Sample by_es = measuring.sample(
      text_node(fmt::format("{{plugin: full_es, tasks: {}, unroll_length: {}, std: {}}}", tasks, length, std)), 77,
      seconds / 2);
  Truth es = truth_of(by_es, length,
                      fmt::format("evolution strategies on {} problems (σ = {})",
                                  static_cast<std::int64_t>(by_es.count()) * tasks, std));
  try {
    const Sample exact = measuring.sample(
        text_node(fmt::format("{{plugin: full_gradient, tasks: {}, unroll_length: {}, recompute_states: true}}", tasks,
                              length)),
        78, seconds / 2);
    Truth gradient =
        truth_of(exact, length,
                 fmt::format("the exact gradient of {} problems", static_cast<std::int64_t>(exact.count()) * tasks));
    if (std::isfinite(gradient.told.error) && !(gradient.told.error > 2 * es.told.error)) return gradient;
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception&) {
    // The task has no gradient, or its states need more memory than there is.
  }
  return es;
}

EstimatorMeasure measured(const std::string& label, const Sample& sample, const Truth& truth, double reference) {
  EstimatorMeasure result{.label = label, .length = truth.told.length};
  const std::vector<double> mean = sample.mean(), variance = sample.variance();
  const double cycles = static_cast<double>(sample.count()), norm = std::max(truth.told.norm, 1e-300);
  double distance = 0, noise = 0, spread = 0, inner = 0, squares = 0;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double v = variance[i] / cycles + truth.variance_of_mean[i], d = mean[i] - truth.mean[i];
    distance += d * d;
    noise += v;
    spread += 4 * std::max(0.0, d * d - v) * v + 2 * v * v;  // of the distance's square
    inner += mean[i] * truth.mean[i];
    squares += variance[i] * variance[i];
  }
  const double bias = distance - noise, two = 2 * std::sqrt(spread);
  const auto root = [norm](double x) { return std::sqrt(std::max(0.0, x)) / norm; };
  result.bias = {root(bias), root(bias - two), root(bias + two)};
  const double total = sum_of(variance), one = std::sqrt(total * sample.seconds / cycles / reference) / norm;
  // As many numbers vary by themselves as the variance is spread over.
  const double free = squares > 0 ? std::max(1.0, total * total / squares) : 1;
  const double relative = std::min(0.9, std::sqrt(2 / (free * (cycles - 1))));
  result.noise = {one, one * (1 - relative), one * (1 + relative)};
  result.cosine = inner / std::max(norm_of(mean) * norm_of(truth.mean), 1e-300);
  result.seconds = sample.seconds / sample.estimates;
  result.estimates = sample.estimates;
  return result;
}

}  // namespace

double EstimatorComparison::error_after(const EstimatorMeasure& measure, double meta_steps) {
  return std::sqrt(measure.bias.value * measure.bias.value + measure.noise.value * measure.noise.value / meta_steps);
}

std::vector<ComparedEstimator> usual_estimators(const SpecNode& spec, Registry& registry) {
  const Experiment own = meta_training_of(spec, registry);
  const SpecNode& settings = *own.resolved.find("estimator");
  const std::string own_name = settings.find("plugin")->text;
  std::vector<ComparedEstimator> result{{own_name, settings}};
  std::size_t weights = 0;
  for (const Array& leaf : initial_theta(*own.learned_optimizer, 0).leaves()) weights += leaf.size();
  constexpr std::size_t few_weights = 32;
  for (const char* name : {"truncated_gradient", "truncated_es", "pes", "pes_with_gradient", "nres", "es_single",
                           "uoro", "forward_gradient", "rtrl", "full_gradient", "full_es"}) {
    const auto found = registry.find(GradientEstimator::kind, name);
    if (found.size() != 1 || name == own_name || (std::string_view(name) == "rtrl" && weights > few_weights)) continue;
    const bool is_whole = std::string_view(name).starts_with("full_");
    SpecNode node = SpecNode::mapping();
    node.set("plugin", SpecNode::scalar(name));
    for (const Declaration& declaration : registry.describe(*found[0]))
      if (const SpecNode* value = settings.find(declaration.name); value && declaration.name != "plugin" &&
                                                                   declaration.name != "starts" &&
                                                                   !(is_whole && declaration.name == "unroll_length"))
        node.set(declaration.name, *value);
    result.push_back({name, std::move(node)});
  }
  return result;
}

EstimatorComparison compare_estimators(const SpecNode& spec, Registry& registry,
                                       const std::vector<ComparedEstimator>& estimators,
                                       std::vector<std::int64_t> lengths, double seconds, int threads,
                                       const std::function<bool()>& interrupt,
                                       const std::function<void(const std::string&)>& note) {
  const Measuring measuring(spec, registry, threads, interrupt);
  if (lengths.empty()) lengths.push_back(measuring.own_length() > 0 ? measuring.own_length() : 100);
  const double share = seconds / static_cast<double>(lengths.size()) / (static_cast<double>(estimators.size()) + 4);
  EstimatorComparison result;
  for (const std::int64_t length : lengths) {
    note(fmt::format("the true meta-gradient of {} steps", length));
    const Truth truth = find_truth(measuring, length, 4 * share);
    result.truths.push_back(truth.told);
    result.reference_seconds.push_back(0);
    for (const ComparedEstimator& estimator : estimators) {
      note(fmt::format("{}, {} steps", estimator.label, length));
      SpecNode settings = estimator.settings;
      const auto declared = registry.find(GradientEstimator::kind, settings.find("plugin")->text);
      std::vector<Declaration> keys;
      if (declared.size() == 1) keys = registry.describe(*declared[0]);
      const auto has = [&](std::string_view key) {
        return std::any_of(keys.begin(), keys.end(), [&](const Declaration& d) { return d.name == key; });
      };
      // A restart is found a step late (as in the JAX tutorial), so a problem has one step more than its length.
      if (has("problem_length")) {
        settings.set("problem_length", SpecNode::scalar(std::to_string(std::max<std::int64_t>(1, length - 1))));
        if (has("truncation")) settings.set("truncation", SpecNode::scalar("constant"));
        if (has("starts")) settings.set("starts", SpecNode::scalar("staggered"));
      } else if (has("unroll_length")) {
        settings.set("unroll_length", SpecNode::scalar(std::to_string(length)));
      }
      double& reference = result.reference_seconds.back();
      try {
        const Sample sample = measuring.sample(settings, 79, share);
        if (reference == 0) reference = sample.seconds / sample.estimates;
        result.measures.push_back(measured(estimator.label, sample, truth, reference));
      } catch (const Interrupted&) {
        throw;
      } catch (const std::exception& error) {
        result.measures.push_back({.label = estimator.label, .length = length, .refused = error.what()});
      }
    }
  }
  return result;
}

}  // namespace lopt
