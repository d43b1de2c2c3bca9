// The tasks that lopt has: losses and gradients as JAX computes them, and each can be trained.
#include "data/batch.h"
#include "estimate/inner_problem.h"
#include "gradient/gradient.h"
#include "unit/plugins.h"
#include "unit/support.h"

#include <lopt/optimizer.h>

#include "catch.h"

#include <filesystem>

using namespace lopt;
using namespace lopt::test;

namespace {

/// Σ |a − b| over Σ |b|.
double relative_difference(const Array& a, const Array& b) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    off += std::abs(static_cast<double>(a.values<float>()[i]) - static_cast<double>(b.values<float>()[i]));
    size += std::abs(static_cast<double>(b.values<float>()[i]));
  }
  return off / size;
}

/// The arrays of a file whose names begin with PREFIX/.
Values part(const Values& file, const std::string& prefix) {
  Values result{std::vector<Values::Entry>{}};
  for (const auto& [name, array] : file.entries())
    if (name.starts_with(prefix + "/")) result.set(name.substr(prefix.size() + 1), array);
  return result;
}

/// A task's loss and gradient at the parameters and the batch of a file are the file's.
void require_same_loss(const Task& task_made, const std::string& name) {
  INFO(name);
  const Task* task = &task_made;
  const Values file = golden("tasks/" + name);
  const Values batch_values = part(file, "batch"), slopes = part(file, "gradient");
  const Key start_key{make_input("key", {DType::uint32, {2}})};
  const Tree start = task->init(start_key);
  // In the tree that the task has, where names with a slash are names below a name; of the file's alphabet.
  std::vector<Array> values;
  std::vector<Type> types;
  for (const std::string& path : start.paths()) {
    values.push_back(file["params/" + path]);
    types.push_back(values.back().type());
  }
  const Tree params = inputs_like("params", types_of(start).with_leaves<Type>(types));
  const Tree batch = inputs_like("batch", types_of(batch_values));
  const Key key{make_input("key", {DType::uint32, {2}})};
  const Tensor loss = task->training_loss(params, task->init_state(key), batch, key).loss;
  std::vector<Tensor> inputs = params.leaves(), outputs{loss};
  for (const Tensor& input : batch.leaves()) inputs.push_back(input);
  for (const Array& value : batch_values.leaves()) values.push_back(value);
  for (const Tensor& slope : gradient(loss, params.leaves())) outputs.push_back(slope);
  const std::vector<Array> results = compile(make_program("loss", inputs, outputs)).run(values);
  CHECK(relative_difference(results[0], file["loss"]) < 1e-6);
  const std::vector<std::string> paths = params.paths();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    INFO(paths[i]);
    CHECK(relative_difference(results[i + 1], slopes[paths[i]]) < 1e-5);
  }
}

}  // namespace

TEST_CASE("losses and gradients of tasks are JAX's") {
  const std::string spec = GENERATE("conv_classifier", "mlp_autoencoder", "char_rnn", "transformer",
                                    "{plugin: quadratic, dimensions: 1000}");
  require_same_loss(*make<Task>(spec[0] == '{' ? spec : "{plugin: " + spec + "}"), spec[0] == '{' ? "quadratic" : spec);
}

TEST_CASE("losses and gradients of regression tasks are JAX's, targets standardised by their rows") {
  const std::vector<std::pair<std::string, std::string>> tasks{
      {"mlp_regression_squared", "plugin: mlp_regression, hidden: [8]"},
      {"mlp_regression_absolute", "plugin: mlp_regression, hidden: [8], loss: absolute"},
      {"mlp_regression_huber", "plugin: mlp_regression, hidden: [8], loss: huber, huber: 0.7"},
      {"forecast_dense", "plugin: forecast, hidden: [6]"},
      {"forecast_gru", "plugin: forecast, network: gru, hidden: 5"},
      {"forecast_lstm", "plugin: forecast, network: lstm, hidden: 5"},
      {"embedding_regression_network", "plugin: embedding_regression, width: 3, hidden: [6]"},
      {"embedding_regression_product", "plugin: embedding_regression, width: 3, join: product"}};
  for (const auto& [name, settings] : tasks) {
    const std::string data = (std::filesystem::temp_directory_path() / ("lopt-" + name + ".npz")).string();
    std::vector<std::pair<std::string, Array>> arrays;
    const Values batch = part(golden("tasks/" + name), "batch");
    for (const auto& [array, value] : batch.entries())
      for (const char* split : {"train/", "test/"}) arrays.emplace_back(split + array, value.leaf());
    write_npz(data, arrays);
    const std::string dataset = "dataset: {plugin: npz, y: numbers, file: " + data + "}";
    require_same_loss(*make<Task>("{" + settings + ", batch_size: 25, " + dataset + "}"), name);
    std::filesystem::remove(data);
  }
}

TEST_CASE("each task can be trained, by a few optimizers") {
  const std::string spec = GENERATE(
      "mlp_classifier",
      "mlp_classifier, layer_norm: true, dropout: 0.1, initializer: orthogonal, initial_scale: 1, activation: gelu",
      "conv_classifier", "conv_classifier, batch_norm: true", "mlp_autoencoder", "variational_autoencoder",
      "char_rnn, recompute: true", "char_rnn, cell: lstm", "mlp_regression",
      "mlp_regression, loss: huber, standardise: false, hidden: [8, 8]", "forecast",
      "forecast, network: gru, hidden: 8", "forecast, network: lstm, hidden: 8, loss: absolute", "embedding_regression",
      "embedding_regression, join: product", "transformer, blocks: 1, dropout: 0.1", "linear_regression",
      "logistic_regression", "quadratic, rotated: true, noise: 0.01, centre: 1", "rosenbrock", "ackley", "rastrigin",
      "styblinski_tang", "matrix_factorisation", "inner_optimizer",
      "inner_optimizer, steps: 5, task: {plugin: mlp_classifier, batch_size: 16}",
      "gradient_noise, relative: true, task: mlp_classifier", "subsampled_loss, task: mlp_classifier",
      "reparametrised_weights, low: 0.5, high: 2, each: element, task: {plugin: conv_classifier, batch_norm: true}",
      "clipped_loss, task: mlp_classifier", "rescaled_loss, scale: 0.1, offset: -3, task: mlp_classifier",
      "label_noise, task: mlp_classifier", "augmented_images, flip: true, cut_out: 2, task: conv_classifier");
  const std::string rule = GENERATE("{plugin: sgd, learning_rate: 0.0001}", "{plugin: adam, learning_rate: 0.003}",
                                    "{plugin: per_parameter_mlp}");
  INFO(spec << " by " << rule);
  const auto task = make<Task>("{plugin: " + spec + "}");
  std::shared_ptr<const Optimizer> optimizer;
  std::shared_ptr<const LearnedOptimizer> learned;
  Values theta{std::vector<Values::Entry>{}};
  if (rule.find("per_parameter_mlp") == std::string::npos) {
    optimizer = make<Optimizer>(rule);
  } else {
    learned = make<LearnedOptimizer>(rule);
    const Key key{make_input("key", {DType::uint32, {2}})};
    const Tree start = learned->init(key);
    theta = types_of(start).with_leaves<Array>(compile(make_program("theta", {key.bits}, start.leaves()))
                                                   .run(std::vector<Array>{to_array(HostKey::from_seed(1))}));
  }
  const OptimizerSource source = [&](const Tree& weights) -> std::shared_ptr<const Optimizer> {
    return learned ? learned->opt_fn(weights) : optimizer;
  };
  const InnerProblem problem(spec, *task, source, types_of(theta), 20);
  std::vector<Array> inputs = theta.leaves();
  inputs.push_back(to_array(HostKey::from_seed(5)));
  std::vector<Array> state = problem.start().run(inputs);
  std::vector<float> losses;
  for (int step = 0; step < 20; ++step) {
    std::vector<Array> list = theta.leaves();
    list.insert(list.end(), state.begin(), state.end());
    if (const Batches batches = task->batches(); batches.dataset)
      for (const Array& leaf : first_batch(batches, HostKey::from_seed(6)).leaves()) list.push_back(leaf);
    list.push_back(to_array(HostKey::from_seed(7)));
    list.push_back(Array::scalar(std::int32_t{step}));
    list.push_back(Array::scalar(std::int32_t{20}));
    state = problem.step().run(list);
    losses.push_back(state.back().item<float>());
    state.pop_back();
    if (optimizer) REQUIRE(std::isfinite(losses.back()));
  }
  if (rule.find("adam") != std::string::npos) CHECK(losses.back() < losses.front());
}

TEST_CASE("running statistics of batch normalisation go on from step to step and judge test examples") {
  const auto task = make<Task>("{plugin: conv_classifier, batch_norm: true}");
  const Key key{make_input("key", {DType::uint32, {2}})};
  const Tree params = inputs_like("params", types_of(task->init(key))),
             state = inputs_like("state", types_of(task->init_state(key))),
             batch = inputs_like("batch", batch_types_of(*task));
  REQUIRE(state.leaf_count() == 4);
  const auto trained = task->training_loss(params, state, batch, key);
  // The loss of training does not look at them, that of an evaluation does.
  for (const Tensor& slope : vector_jacobian({trained.loss}, {full({}, 1)}, state.leaves())) CHECK_FALSE(slope);
  for (const Tensor& slope :
       vector_jacobian({task->evaluation_loss(params, state, batch, key)}, {full({}, 1)}, state.leaves()))
    CHECK(slope);
}
