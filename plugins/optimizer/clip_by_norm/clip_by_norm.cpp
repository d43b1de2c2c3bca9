#include <lopt/plugin.h>

using namespace lopt;

/// An optimizer that sees gradients of a global norm of at most `norm`: g · min(1, norm / ‖g‖), over all tensors.
class ClipByNorm final : public OptimizerWrapper {
 public:
  explicit ClipByNorm(Settings& s)
      : OptimizerWrapper(s.component<Optimizer>("inner").doc("what is trained with")),
        norm_(s.real("norm", 1).above(0).doc("the largest global norm")) {}

  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    std::vector<Tensor> norms;
    for (const Tensor& g : grads.leaves()) norms.push_back(norm(g));
    const Tensor length = norm(stack(norms, 0));
    return inner().update(state, (norm_ / maximum(length, norm_)) * grads, context);
  }

 private:
  double norm_;
};

LOPT_PLUGIN(ClipByNorm, "clip_by_norm",
            {.summary = "An optimizer with gradients of a bounded global norm",
             .paper = "Pascanu et al., On the difficulty of training recurrent neural networks, ICML 2013"})
