#include "learn/training.h"

#include "data/npz.h"

#include <fmt/format.h>

#include <cmath>

namespace lopt {
namespace {

Program trace_theta(const LearnedOptimizer& learned, Types& types) {
  Key key{make_input("key", {DType::uint32, {2}})};
  const Tree theta = learned.init(key);
  types = types_of(theta);
  return make_program("theta", {key.bits}, theta.leaves());
}

float norm_of(const Values& tree) {
  double sum = 0;
  for (const Array& leaf : tree.leaves())
    for (float x : leaf.values<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  return static_cast<float>(std::sqrt(sum));
}

const Values no_theta{std::vector<Values::Entry>{}};

}  // namespace

Values initial_theta(const LearnedOptimizer& learned, std::uint64_t seed) {
  Types types;
  const Executable program = compile(trace_theta(learned, types));
  const std::vector<Array> leaves = program.run(std::vector<Array>{to_array(HostKey::from_seed(seed))});
  return types.with_leaves<Array>(leaves);
}

Values read_theta(const LearnedOptimizer& learned, const std::string& path) {
  Types types;
  static_cast<void>(trace_theta(learned, types));
  const Values file = read_npz(path);
  std::vector<Array> leaves;
  const std::vector<std::string> names = types.paths();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Type type = types.leaves()[i];
    if (!file.contains(names[i]))
      throw DataError(fmt::format("{}: has no array '{}', which this learned optimizer's θ has", path, names[i]));
    const Array& array = file[names[i]].leaf();
    if (array.type() != type)
      throw DataError(fmt::format("{}: '{}' is {}; this learned optimizer's is {}", path, names[i],
                                  to_text(array.type()), to_text(type)));
    leaves.push_back(array);
  }
  return types.with_leaves<Array>(leaves);
}

OptimizerSource source_of(std::shared_ptr<const LearnedOptimizer> learned) {
  return [learned = std::move(learned)](const Tree& theta) -> std::shared_ptr<const Optimizer> {
    return learned->opt_fn(theta);
  };
}
OptimizerSource source_of(std::shared_ptr<const Optimizer> optimizer) {
  return [optimizer = std::move(optimizer)](const Tree&) { return optimizer; };
}

HostKey data_key(std::uint64_t seed) { return fold_in(HostKey::from_seed(seed), 0x64617461); }  // "data"

MetaTraining::MetaTraining(const Experiment& experiment, int threads)
    : experiment_(experiment),
      key_(HostKey::from_seed(experiment.seed)),
      theta_(initial_theta(*experiment.learned_optimizer, experiment.seed)) {
  unroller_ =
      std::make_unique<LaneUnroller>(experiment.family, source_of(experiment.learned_optimizer), types_of(theta_),
                                     data_key(experiment.seed), threads, experiment.estimator->problem_steps());
  state_ = experiment.estimator->init(theta_, key_, *unroller_);

  const Optimizer& optimizer = *experiment.meta_optimizer;
  auto like = [&](const Types& types, const std::string& name) {
    return map([&](const Type& type) { return make_input(name, type); }, types);
  };
  Key key{make_input("key", {DType::uint32, {2}})};
  const Tree theta = like(types_of(theta_), "theta");
  const Tree start = optimizer.init(theta, {experiment.steps, key});
  optimizer_types_ = types_of(start);
  std::vector<Tensor> inputs = theta.leaves();
  inputs.push_back(key.bits);
  std::vector<Array> values = theta_.leaves();
  values.push_back(to_array(fold_in(key_, 0x6d657461)));  // "meta"
  optimizer_state_ = optimizer_types_.with_leaves<Array>(
      compile(make_program("meta-optimizer start", inputs, start.leaves())).run(values));

  const Tree state = like(optimizer_types_, "state"), gradient = like(types_of(theta_), "gradient");
  const Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  const Tree next = optimizer.update(state, gradient, {loss, iteration, experiment.steps, key});
  inputs = state.leaves();
  for (const Tensor& leaf : gradient.leaves()) inputs.push_back(leaf);
  inputs.insert(inputs.end(), {loss, iteration, key.bits});
  std::vector<Tensor> outputs = next.leaves();
  for (const Tensor& leaf : optimizer.params(next).leaves()) outputs.push_back(leaf);
  update_ = std::make_unique<Executable>(compile(make_program("meta-optimizer update", inputs, outputs)));
}

MetaStep MetaTraining::step() {
  const std::vector<HostKey> keys = split(key_);
  key_ = keys[1];
  Estimate estimate = experiment_.estimator->estimate(theta_, keys[0], state_, *unroller_);
  gradient_ = std::move(estimate.gradient);
  const float norm = norm_of(gradient_);
  const bool finite = std::isfinite(norm);
  if (finite) {
    std::vector<Array> inputs = optimizer_state_.leaves();
    for (const Array& leaf : gradient_.leaves()) inputs.push_back(leaf);
    inputs.push_back(Array::scalar(estimate.loss));
    inputs.push_back(Array::scalar(static_cast<std::int32_t>(step_)));
    inputs.push_back(to_array(fold_in(keys[0], 0x6d657461)));
    const std::vector<Array> outputs = update_->run(inputs);
    const std::size_t count = optimizer_types_.leaf_count();
    optimizer_state_ = optimizer_types_.with_leaves<Array>(std::span(outputs).first(count));
    theta_ = types_of(theta_).with_leaves<Array>(std::span(outputs).subspan(count));
  }
  return {step_++, estimate.loss, norm, !finite, gradient_, theta_};
}

InnerTraining::InnerTraining(std::shared_ptr<const TaskFamily> family, const OptimizerSource& optimizer,
                             std::vector<Values> thetas, const std::vector<std::uint64_t>& seeds, HostKey data,
                             int threads, int steps)
    : steps_(steps),
      thetas_(std::move(thetas)),
      unroller_(std::move(family), optimizer, types_of(thetas_.at(0)), data, threads, steps),
      losses_(thetas_.size()) {
  std::vector<LaneStart> starts;
  for (std::size_t i = 0; i < thetas_.size(); ++i)
    starts.push_back({thetas_[i], HostKey::from_seed(seeds[i]), static_cast<std::uint32_t>(i)});
  lanes_ = unroller_.start(starts);
}

bool InnerTraining::advance(int most) {
  UnrollOptions options;
  options.steps = std::min(most, steps_ - steps_done());
  if (options.steps <= 0) return false;
  Unrolled unrolled = unroller_.unroll(std::move(lanes_), thetas_, options);
  lanes_ = std::move(unrolled.lanes);
  const auto steps = static_cast<std::size_t>(options.steps);
  for (std::size_t i = 0; i < losses_.size(); ++i)
    losses_[i].insert(losses_[i].end(), unrolled.losses.begin() + static_cast<std::ptrdiff_t>(i * steps),
                      unrolled.losses.begin() + static_cast<std::ptrdiff_t>((i + 1) * steps));
  return steps_done() < steps_;
}

Values InnerTraining::params(std::size_t run) const { return unroller_.params(thetas_[run], lanes_[run]); }
std::optional<float> InnerTraining::test_loss(std::size_t run) const {
  return unroller_.evaluate(thetas_[run], lanes_[run], Split::test);
}

std::unique_ptr<InnerTraining> make_inner_training(const Experiment& e, int threads) {
  std::vector<Values> thetas;
  if (e.kind == Experiment::Kind::inner_training)
    thetas.push_back(no_theta);
  else if (!e.theta_file.empty())
    thetas.push_back(read_theta(*e.learned_optimizer, e.theta_file));
  else
    for (std::int64_t seed : e.theta_seeds)
      thetas.push_back(initial_theta(*e.learned_optimizer, static_cast<std::uint64_t>(seed)));
  const std::vector<std::uint64_t> seeds(thetas.size(), e.seed);
  OptimizerSource source = e.optimizer ? source_of(e.optimizer) : source_of(e.learned_optimizer);
  return std::make_unique<InnerTraining>(e.family, std::move(source), std::move(thetas), seeds, data_key(e.seed),
                                         threads, e.steps);
}

namespace {
std::unique_ptr<InnerTraining> applied_runs(const Experiment& e, const OptimizerSource& source, const Values& theta,
                                            int threads) {
  const std::vector<std::uint64_t> seeds(e.application->seeds.begin(), e.application->seeds.end());
  return std::make_unique<InnerTraining>(e.family, source, std::vector<Values>(seeds.size(), theta), seeds,
                                         data_key(e.seed), threads, e.application->steps);
}
}  // namespace

std::unique_ptr<InnerTraining> make_application(const Experiment& e, const Values& theta, int threads) {
  return applied_runs(e, source_of(e.learned_optimizer), theta, threads);
}
std::unique_ptr<InnerTraining> make_comparison(const Experiment& e, const Comparison& comparison, int threads) {
  return applied_runs(e, source_of(comparison.optimizer), no_theta, threads);
}

}  // namespace lopt
