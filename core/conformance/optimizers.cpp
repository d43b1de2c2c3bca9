// Checks of optimizers and learned optimizers.
#include "conformance/behaviour.h"
#include "conformance/check.h"
#include "conformance/made_up.h"
#include "conformance/slope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

namespace lopt {
namespace {

const std::vector<std::string> rule_kinds{Optimizer::kind, LearnedOptimizer::kind};

/// A rule's start and step as trees of one traced program.
struct Traced {
  Tree theta, params, start, state, grads, next;
  Key key{make_input("key", {DType::uint32, {2}})};
  Tensor loss = make_input("loss", {DType::float32, {}}), iteration = make_input("iteration", {DType::int32, {}});
  std::shared_ptr<const Optimizer> optimizer;

  explicit Traced(const Subject::Rule& rule)
      : theta(inputs_like("theta", types_of(rule.theta))),
        params(inputs_like("params", made_up_params())),
        optimizer(rule.optimizer(theta)) {
    start = optimizer->init(params, {10, key});
    state = inputs_like("state", types_of(start));
    grads = inputs_like("grads", made_up_params());
    next = optimizer->update(state, grads, {loss, iteration, 10, key});
  }
};

/// "the state has a, b after init, and a after update".
Outcome structure(Subject& s) {
  const Traced traced(s.rule());
  if (traced.start.paths() != traced.next.paths())
    return fail(fmt::format("the state has the leaves {} after init(), but {} after update()",
                            fmt::join(traced.start.paths(), ", "), fmt::join(traced.next.paths(), ", ")));
  return pass(fmt::format("{} leaves", traced.start.leaf_count()));
}

Outcome shapes(Subject& s) {
  const Traced traced(s.rule());
  const std::vector<std::string> paths = traced.start.paths();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Type before = traced.start.leaves()[i].type(), after = traced.next.leaves()[i].type();
    if (before != after)
      return fail(
          fmt::format("{} is {} after init(), but {} after update()", paths[i], to_text(before), to_text(after)));
  }
  return pass();
}

Outcome params(Subject& s) {
  const Subject::Rule rule = s.rule();
  const Traced traced(rule);
  const Tree given = traced.optimizer->params(traced.start);
  if (given.paths() != traced.params.paths())
    return fail(fmt::format("params() gives {}, not {} as init() was given", fmt::join(given.paths(), ", "),
                            fmt::join(traced.params.paths(), ", ")));
  std::vector<Tensor> inputs = traced.theta.leaves();
  for (const Tensor& leaf : traced.params.leaves()) inputs.push_back(leaf);
  inputs.push_back(traced.key.bits);
  std::vector<Array> values = rule.theta.leaves();
  const std::vector<Array> expected = made_up_values(3).leaves();
  values.insert(values.end(), expected.begin(), expected.end());
  values.push_back(to_array(HostKey::from_seed(4)));
  const std::vector<Array> result = compile(make_program("params", inputs, given.leaves())).run(values);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!(result[i] == expected[i]))
      return fail(fmt::format("params() after init() does not give the {} that init() was given", given.paths()[i]));
  return pass();
}

/// NaN and infinity in gradients, loss and state: whatever comes out, something does.
Outcome rule_with_nan(Subject& s) {
  const Subject::Rule rule = s.rule();
  const Traced traced(rule);
  std::vector<Tensor> inputs = traced.theta.leaves();
  for (const Tree* tree : {&traced.state, &traced.grads})
    for (const Tensor& leaf : tree->leaves()) inputs.push_back(leaf);
  inputs.insert(inputs.end(), {traced.loss, traced.iteration, traced.key.bits});
  const Executable update = compile(make_program("update", inputs, traced.next.leaves()));
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e38F}) {
    std::vector<Array> values;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Array value(inputs[i].type());
      if (value.dtype() == DType::float32)
        for (float& x : value.mutable_values<float>()) x = wrong;
      values.push_back(i < rule.theta.leaf_count() ? rule.theta.leaves()[i] : value);
    }
    static_cast<void>(update.run(values));
  }
  return pass();
}

/// d loss / dθ after two steps in a bowl, against finite differences.
Outcome gradient_of_theta(Subject& s) {
  const Subject::Rule rule = s.rule();
  const Tree theta = inputs_like("theta", types_of(rule.theta));
  const std::shared_ptr<const Optimizer> optimizer = rule.optimizer(theta);
  const Bowl bowl;
  const Key key{Tensor(to_array(HostKey::from_seed(5)))};
  const Tree start = map([](const Array& leaf) { return Tensor(leaf); }, made_up_values(3));
  Tree state = optimizer->init(start, {2, key});
  for (int step = 0; step < 2; ++step) {
    const Tree params = optimizer->params(state);
    const Tensor loss = bowl.loss(params, {}, key);
    state = optimizer->update(state, gradient(loss, params), {loss, Tensor(Array::scalar(step)), 2, key});
  }
  return compare_slope(bowl.loss(optimizer->params(state), {}, key), theta, rule.theta, {}, {});
}

/// Lanes trained by one thread and by two.
Outcome rule_has_same_bits(Subject& s) {
  const Subject::Rule rule = s.rule();
  return compare_threads(family_of(std::make_shared<Bowl>()), rule.optimizer, rule.theta);
}

}  // namespace

std::vector<Check> optimizer_checks() {
  return {{"structure", rule_kinds, {"calls"}, structure},
          {"shapes", rule_kinds, {"structure"}, shapes},
          {"params", rule_kinds, {"calls"}, params},
          {"nan", rule_kinds, {"calls"}, rule_with_nan},
          {"gradient", {LearnedOptimizer::kind}, {"structure", "shapes", "params"}, gradient_of_theta},
          {"same_bits", rule_kinds, {"deterministic", "structure", "shapes", "params"}, rule_has_same_bits}};
}

}  // namespace lopt
