#include "learn/update_picture.h"

#include "estimate/inner_problem.h"

#include <algorithm>
#include <optional>

namespace lopt {
namespace {

constexpr std::int64_t points = 21;
constexpr float most_gradient = 0.1F;
/// The first step that is looked at: by then there is a momentum.
constexpr std::int64_t first_look = 9;

std::vector<Tensor> in_one_list(std::initializer_list<const Tree*> trees, std::initializer_list<Tensor> more = {}) {
  std::vector<Tensor> result;
  for (const Tree* tree : trees)
    for (const Tensor& leaf : tree->leaves()) result.push_back(leaf);
  result.insert(result.end(), more);
  return result;
}

/// A rule on one vector of parameters, a step at a time.
class Stepper {
 public:
  Stepper(const OptimizerSource& source, const Values& theta, std::int64_t steps) : theta_(theta.leaves()) {
    const Types vector{{"x", Type{DType::float32, {points * points}}}};
    const Tree weights = inputs_like("theta", types_of(theta)), params = inputs_like("params", vector),
               grads = inputs_like("grads", vector);
    const Key key{make_input("key", {DType::uint32, {2}})};
    const std::shared_ptr<const Optimizer> optimizer = source(weights);
    const Tree start = optimizer->init(params, {steps, key});
    const Executable begin =
        compile(make_program("start", in_one_list({&weights, &params}, {key.bits}), start.leaves()));
    const Tree state = inputs_like("state", types_of(start));
    const Tensor loss = make_input("loss", {DType::float32, {}}),
                 iteration = make_input("iteration", {DType::int32, {}});
    const Tree next = optimizer->update(state, grads, {loss, iteration, steps, key});
    const Tree before = optimizer->params(state), after = optimizer->params(next);
    step_.emplace(compile(make_program("step", in_one_list({&weights, &state, &grads}, {loss, iteration, key.bits}),
                                       in_one_list({&next}, {after.leaves()[0] - before.leaves()[0]}))));
    std::vector<Array> inputs = theta_;
    constexpr float usual_parameter = 0.1F;
    inputs.push_back(filled(usual_parameter));
    inputs.push_back(key_);
    state_ = begin.run(inputs);
  }

  static Array filled(float value) {
    Array array(DType::float32, {points * points});
    std::ranges::fill(array.mutable_values<float>(), value);
    return array;
  }

  /// The change that gradients make of the parameters; `keep`: the state goes on from it.
  Array change(const Array& gradients, std::int64_t iteration, bool keep) {
    std::vector<Array> inputs = theta_;
    inputs.insert(inputs.end(), state_.begin(), state_.end());
    inputs.insert(inputs.end(),
                  {gradients, Array::scalar(1.0F), Array::scalar(static_cast<std::int32_t>(iteration)), key_});
    std::vector<Array> outputs = step_->run(inputs, arena_);
    Array result = outputs.back();
    if (keep) state_.assign(outputs.begin(), outputs.end() - 1);
    return result;
  }

 private:
  std::vector<Array> theta_, state_;
  Array key_ = to_array(HostKey::from_seed(0));
  std::optional<Executable> step_;
  Arena arena_;
};

}  // namespace

UpdatePicture update_picture(const OptimizerSource& source, const Values& theta, std::int64_t steps,
                             const std::function<bool()>& interrupt) {
  UpdatePicture picture;
  for (std::int64_t i = 0; i < points; ++i)
    picture.axis.push_back(most_gradient * (2 * static_cast<float>(i) / static_cast<float>(points - 1) - 1));
  Array momenta = Stepper::filled(0), gradients = Stepper::filled(0);
  for (std::size_t m = 0; m < points; ++m)
    for (std::size_t g = 0; g < points; ++g) {
      momenta.mutable_values<float>()[m * points + g] = picture.axis[m];
      gradients.mutable_values<float>()[m * points + g] = picture.axis[g];
    }
  const std::int64_t last = std::max<std::int64_t>(steps, first_look + 1) - 1;
  std::vector<std::int64_t> looks{first_look, last / 2, last};
  std::sort(looks.begin(), looks.end());
  looks.erase(std::unique(looks.begin(), looks.end()), looks.end());
  Stepper stepper(source, theta, steps);
  for (std::int64_t step = 0; step <= last; ++step) {
    if (interrupt && interrupt()) throw Interrupted();
    if (std::binary_search(looks.begin(), looks.end(), step)) {
      const Array change = stepper.change(gradients, step, false);
      picture.moments.push_back({step, {change.values<float>().begin(), change.values<float>().end()}});
    }
    stepper.change(momenta, step, true);
  }
  return picture;
}

}  // namespace lopt
