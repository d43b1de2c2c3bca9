#include "../several.h"

#include <cmath>

using namespace lopt;

/// Estimators weighted element by element by how sure each is (Metz et al., 2018, who merge evolution strategies and
/// backpropagation so): with the running variance v of an estimator's element,
///   gradient = Σ w g / Σ w,  w = weight / v.
/// The moments behind v decay by `decay` a meta-step. While no variance is known, or where all are 0, the weights alone
/// count; an element that is not finite counts for nothing. Variance says nothing of bias: a biased estimator of little
/// noise wins, so `weights` say how far each is trusted.
class Combined final : public SeveralEstimators {
 public:
  explicit Combined(Settings& s)
      : SeveralEstimators(s),
        weights_(s.reals("weights", std::vector<double>{})
                     .at_least(0)
                     .at_most(1e6)
                     .doc("what each estimator's inverse variance is multiplied with; none: 1 for each")),
        decay_(s.real("decay", 0.9).at_least(0).below(1).doc("of the running moments, a meta-step")) {
    if (count() < 2) throw std::invalid_argument("needs `estimators`, a list of at least two");
    if (weights_.empty()) weights_.assign(count(), 1);
    if (weights_.size() != count())
      throw std::invalid_argument("`weights` has " + std::to_string(weights_.size()) + " numbers for " +
                                  std::to_string(count()) + " estimators: one for each is needed");
    if (std::ranges::all_of(weights_, [](double weight) { return weight == 0; }))
      throw std::invalid_argument("`weights` are all 0, so no estimator would count");
  }

  EstimatorState init(const Values& theta, HostKey key, const Unroller& unroller) const override {
    EstimatorState state = SeveralEstimators::init(theta, key, unroller);
    for (std::size_t i = 0; i < count(); ++i) {
      state.values.set(name("mean", i), zeros_like(theta));
      state.values.set(name("square", i), zeros_like(theta));
    }
    state.values.set("meta_steps", Array::scalar(std::int32_t{0}));
    return state;
  }

  Estimate estimate(const Values& theta, HostKey key, EstimatorState& state, const Unroller& unroller) const override {
    const std::vector<Estimate> all = estimates(theta, key, state, unroller);
    const std::int32_t before = state.values["meta_steps"].leaf().item<std::int32_t>();
    // Moments of so few estimates as there were, until they are as many as the decay remembers.
    const auto keep = static_cast<float>(std::min(decay_, static_cast<double>(before) / (before + 1.0)));
    Estimate result{0, zeros_like(theta)};
    for (const Estimate& one : all) result.loss += one.loss / static_cast<float>(count());
    std::vector<std::vector<Array>> gradients, means, squares;
    for (std::size_t i = 0; i < count(); ++i) {
      gradients.push_back(all[i].gradient.leaves());
      means.push_back(state.values[name("mean", i)].leaves());
      squares.push_back(state.values[name("square", i)].leaves());
    }
    std::vector<Array> merged = result.gradient.leaves();
    for (std::size_t leaf = 0; leaf < merged.size(); ++leaf)
      for (std::size_t k = 0; k < merged[leaf].size(); ++k) {
        double total = 0, sum = 0, plain = 0, plain_sum = 0;
        for (std::size_t i = 0; i < count(); ++i) {
          const float g = gradients[i][leaf].values<float>()[k];
          if (!std::isfinite(g)) continue;
          float& mean = means[i][leaf].mutable_values<float>()[k];
          float& square = squares[i][leaf].mutable_values<float>()[k];
          mean = keep * mean + (1 - keep) * g;
          square = keep * square + (1 - keep) * g * g;
          const double variance = static_cast<double>(square) - static_cast<double>(mean) * static_cast<double>(mean);
          plain += weights_[i], plain_sum += weights_[i] * static_cast<double>(g);
          // Below what rounding leaves of the difference, it is not known.
          if (before == 0 || !(variance > 1e-6 * static_cast<double>(square))) continue;
          total += weights_[i] / variance, sum += weights_[i] / variance * static_cast<double>(g);
        }
        const double value = total > 0 ? sum / total : plain > 0 ? plain_sum / plain : 0;
        merged[leaf].mutable_values<float>()[k] = static_cast<float>(value);
      }
    result.gradient = theta.with_leaves<Array>(merged);
    for (std::size_t i = 0; i < count(); ++i) {
      state.values.set(name("mean", i), theta.with_leaves<Array>(means[i]));
      state.values.set(name("square", i), theta.with_leaves<Array>(squares[i]));
    }
    state.values.set("meta_steps", Array::scalar(before + 1));
    return result;
  }

  std::string bias() const override {
    const std::string of_parts = SeveralEstimators::bias();
    const std::string own = "weights that follow the noise of the estimates they weigh";
    return of_parts.empty() ? own : of_parts + "; " + own;
  }

 private:
  static std::string name(const char* what, std::size_t i) { return what + std::string(" of ") + std::to_string(i); }

  std::vector<double> weights_;
  double decay_;
};

LOPT_PLUGIN(Combined, "combined",
            {.summary = "Several estimators, weighted element by element by their running inverse variance",
             .paper = "Metz et al., Understanding and correcting pathologies in the training of learned optimizers, "
                      "ICML 2019",
             .url = "https://arxiv.org/abs/1810.10180"})
