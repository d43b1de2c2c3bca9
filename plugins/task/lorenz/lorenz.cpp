#include <lopt/plugin.h>

using namespace lopt;

/// Lorenz's attractor, whose parameters are sought (Li et al., 2023): what is trained is the state (x, y, z) of a model
/// and beside it that of the true system, from the same start; the rule `lorenz_parameters` moves both. The loss of a
/// step is (z − z_true)². Two states that are close part exponentially, so gradients through many steps explode.
class Lorenz final : public Task {
 public:
  explicit Lorenz(Settings& s)
      : start_(s.reals("start", std::vector<double>{1.2, 1.3, 1.6}).doc("x, y and z at the start")),
        noise_(
            s.real("start_noise", 0).at_least(0).doc("standard deviation of what is added to each, for each problem")) {
    if (start_.size() != 3) throw std::invalid_argument("`start` must be three numbers: x, y and z");
  }

  Tree init(Key key) const override {
    const std::vector<float> start(start_.begin(), start_.end());
    const Tensor both = Tensor(Array({3}, start)) + noise_ * normal(key, {3});
    return {{"model", both}, {"truth", both}};
  }
  Tensor loss(const Tree& params, const Tree&, Key) const override {
    return square(take(params["model"], 2, 0) - take(params["truth"], 2, 0));
  }

 private:
  std::vector<double> start_;
  double noise_;
};

LOPT_PLUGIN(Lorenz, "lorenz",
            {.summary = "The state of Lorenz's attractor beside that of the true one: z is to be the same",
             .paper = "Li et al., Noise-reuse in online evolution strategies, NeurIPS 2023",
             .url = "https://arxiv.org/abs/2304.12180"})
