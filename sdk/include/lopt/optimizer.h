#pragma once
#include <lopt/random.h>
#include <lopt/tree.h>

namespace lopt {

/// What an optimizer may know when it starts.
struct InitContext {
  std::int64_t num_steps = 0;  // how many updates there will be; 0: not known
  Key key = {};
};

/// What an optimizer may know beside the gradients.
struct UpdateContext {
  Tensor loss;                 // float32 scalar, of the parameters before this update
  Tensor iteration;            // int32 scalar, steps since the problem began
  std::int64_t num_steps = 0;  // how many updates there will be at most; 0: not known
  Key key = {};
  Tensor length = {};  // int32 scalar, how many updates this problem has, 0: not known; without a value, num_steps
};

/// An update rule.
class Optimizer {
 public:
  static constexpr const char* kind = "optimizer";
  virtual ~Optimizer() = default;

  /// The state at the start, which holds the parameters.
  virtual Tree init(const Tree& params, const InitContext& context) const = 0;
  /// The state after a step. `grads` has the structure of the parameters.
  virtual Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const = 0;
  /// The parameters in a state.
  virtual Tree params(const Tree& state) const = 0;
  /// The parameters that a state is judged by, where those are others than the gradient is wanted at: an average.
  virtual Tree evaluation_params(const Tree& state) const { return params(state); }
  /// The state with other parameters: how an optimizer around this one moves them. The default replaces the leaves of
  /// the state that params() gives; an optimizer whose params() computes something overrides it. Throws TreeError else.
  virtual Tree with_params(const Tree& state, const Tree& params) const;
  /// Whether a rule that looks at the loss may go without: it is 0 in every step then, and the rule takes that as a
  /// loss that says nothing. Asked where another program makes the steps; the default refuses them.
  virtual bool can_do_without_loss() const { return false; }
};

/// An optimizer around an optimizer: all that it does not change is the inner one's.
class OptimizerWrapper : public Optimizer {
 public:
  explicit OptimizerWrapper(std::shared_ptr<const Optimizer> inner) : inner_(std::move(inner)) {}
  Tree init(const Tree& params, const InitContext& context) const override { return inner_->init(params, context); }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return inner_->update(state, grads, context);
  }
  Tree params(const Tree& state) const override { return inner_->params(state); }
  Tree evaluation_params(const Tree& state) const override { return inner_->evaluation_params(state); }
  Tree with_params(const Tree& state, const Tree& params) const override { return inner_->with_params(state, params); }
  bool can_do_without_loss() const override { return inner_->can_do_without_loss(); }

 protected:
  const Optimizer& inner() const { return *inner_; }

 private:
  std::shared_ptr<const Optimizer> inner_;
};

/// An update rule with weights θ, which meta-training finds.
class LearnedOptimizer {
 public:
  static constexpr const char* kind = "learned_optimizer";
  virtual ~LearnedOptimizer() = default;

  /// Initial meta-parameters θ.
  virtual Tree init(Key key) const = 0;
  /// The optimizer that these weights make.
  virtual std::unique_ptr<Optimizer> opt_fn(const Tree& theta) const = 0;
};

}  // namespace lopt
