// An estimator that makes trouble when it is told to: gradients that are not finite, and losses that blow up.
#include <lopt/plugin.h>

#include <limits>

using namespace lopt;

class Trouble final : public GradientEstimator {
 public:
  explicit Trouble(Settings& s)
      : from_(s.integer("from", 0).doc("first step of the trouble")),
        to_(s.integer("to", 0).doc("step after the last")),
        size_(s.real("size", 1).doc("of each element of the gradient")),
        some_(s.boolean("some", false).doc("one element alone is not finite")),
        blow_up_(s.real("blow_up", 0).doc("loss by the distance that θ has moved from where it was")) {}

  EstimatorState init(const Values& theta, HostKey, const Unroller&) const override {
    return {{}, {{"step", Array::scalar<std::int32_t>(0)}, {"start", theta}}};
  }
  Estimate estimate(const Values& theta, HostKey, EstimatorState& state, const Unroller&) const override {
    const std::int32_t step = state.values["step"].leaf().item<std::int32_t>();
    const bool trouble = step >= from_ && step < to_;
    bool first = true;
    Estimate result;
    result.gradient = map(
        [&](Array leaf) {
          for (float& x : leaf.mutable_values<float>()) {
            x = static_cast<float>(size_);
            if (trouble && (first || !some_)) x = std::numeric_limits<float>::quiet_NaN();
            first = false;
          }
          return leaf;
        },
        theta);
    const double moved = static_cast<double>(theta.leaves()[0].values<float>()[0]) -
                         static_cast<double>(state.values["start"].leaves()[0].values<float>()[0]);
    result.loss = static_cast<float>(1 + blow_up_ * moved * moved);
    state.values["step"] = Array::scalar(step + 1);
    return result;
  }

 private:
  int from_, to_;
  double size_;
  bool some_;
  double blow_up_;
};

LOPT_PLUGIN(Trouble, "trouble", {.summary = "Makes trouble when it is told to"})
