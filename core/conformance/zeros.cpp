// A check of optimizers and learned optimizers: gradients that are exactly 0, so small that their square is 0, or very
// large. Pixels that are always black, dead units and biases at the start make them.
#include "conformance/check.h"
#include "conformance/made_up.h"
#include "estimate/fault.h"
#include "gradient/gradient.h"

#include <fmt/format.h>

namespace lopt {
namespace {

struct Situation {
  std::string name;
  float gradient;        // of the elements that are special
  bool every = false;    // all elements of the first leaf, not every second of all
  float parameters = 1;  // what these are multiplied with
};
// The ones that every training meets come first: what breaks there may break elsewhere, too, and is the cause to name.
const std::vector<Situation> situations{{"gradients of exactly 0", 0},
                                        {"a leaf whose gradients are all 0", 0, true},
                                        {"parameters of 0", 0, false, 0},
                                        {"gradients of 1e-30, whose square is 0", 1e-30F},
                                        {"gradients of 1e30, whose square is infinite", 1e30F}};

/// Gradients with special elements among ordinary ones.
std::vector<Array> gradients_of(const Situation& situation) {
  std::vector<Array> leaves = made_up_values(5).leaves();
  for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    const auto elements = leaves[leaf].mutable_values<float>();
    for (std::size_t i = 0; i < elements.size(); ++i)
      if (situation.every ? leaf == 0 : i % 2 == 0) elements[i] = situation.gradient;
  }
  return leaves;
}

/// Three updates by one optimizer, and the derivative of all parameters' sum by θ; in a list of its own that by the
/// gradients too, which depend on θ from a problem's second step on: it is looked at where gradients are 0, since a
/// square that is 0 though its gradient is not breaks Adam's, as JAX has it.
struct Updates {
  OriginNotes notes;
  std::vector<Tensor> inputs, state, outputs, outputs_and_slopes;
  std::vector<std::string> state_paths;

  explicit Updates(const Subject::Rule& rule) {
    const Tree theta = inputs_like("theta", types_of(rule.theta)), params = inputs_like("params", made_up_params()),
               grads = inputs_like("grads", made_up_params());
    const Key key{make_input("key", {DType::uint32, {2}})};
    inputs = theta.leaves();
    for (const Tree* tree : {&params, &grads})
      for (const Tensor& leaf : tree->leaves()) inputs.push_back(leaf);
    inputs.push_back(key.bits);
    const std::shared_ptr<const Optimizer> optimizer = rule.optimizer(theta);
    Tree now = optimizer->init(params, {10, key});
    for (std::int32_t step = 0; step < 3; ++step)
      now = optimizer->update(now, grads, {Tensor(1.0), Tensor(Array::scalar(step)), 10, fold_in(key, 1)});
    state = now.leaves();
    state_paths = now.paths();
    outputs = optimizer->params(now).leaves();
    Tensor total = 0;
    for (const Tensor& leaf : outputs) total = total + sum(leaf);
    for (const Tensor& slope : gradient(total, theta.leaves())) outputs.push_back(slope);
    outputs_and_slopes = outputs;
    try {
      for (const Tensor& slope : gradient(total, grads.leaves())) outputs_and_slopes.push_back(slope);
    } catch (const std::exception&) {
      // A primitive of the plugin's own without a vector-Jacobian product: for evolution strategies alone.
    }
  }
};

Outcome zeros(Subject& s) {
  const Subject::Rule rule = s.rule();
  const Updates updates(rule);
  const LeafNames leaves(updates.state, updates.state_paths, made_up_params().paths());
  for (const Situation& situation : situations) {
    std::vector<Array> values = rule.theta.leaves();
    for (Array leaf : made_up_values(3).leaves()) {
      for (float& x : leaf.mutable_values<float>()) x *= situation.parameters;
      values.push_back(std::move(leaf));
    }
    for (Array& leaf : gradients_of(situation)) values.push_back(std::move(leaf));
    values.push_back(to_array(HostKey::from_seed(4)));
    std::vector<const void*> elements;
    for (const Array& value : values) elements.push_back(value.data());
    if (const auto source = find_non_finite(situation.gradient == 0 ? updates.outputs_and_slopes : updates.outputs,
                                            updates.inputs, elements))
      return fail(fmt::format("with {}: {}", situation.name, sentence_of(*source, updates.notes, leaves, {})));
  }
  return pass(fmt::format("finite with {} kinds of gradients", situations.size()));
}

}  // namespace

std::vector<Check> zero_checks() {
  return {{"zeros", {Optimizer::kind, LearnedOptimizer::kind}, {"structure", "shapes", "nan"}, zeros}};
}

}  // namespace lopt
