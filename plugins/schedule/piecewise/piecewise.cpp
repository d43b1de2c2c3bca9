#include <lopt/plugin.h>

using namespace lopt;

/// rate(i) = values[k] for boundaries[k − 1] ≤ i < boundaries[k].
class Piecewise final : public Schedule {
 public:
  explicit Piecewise(Settings& s)
      : boundaries_(s.integers("boundaries").at_least(1).doc("updates from which the next value holds, rising")),
        values_(s.reals("values").doc("rates, one more than boundaries")) {
    for (std::size_t i = 1; i < boundaries_.size(); ++i)
      if (boundaries_[i] <= boundaries_[i - 1]) throw std::invalid_argument("boundaries must rise");
    if (values_.size() != boundaries_.size() + 1)
      throw std::invalid_argument("there are " + std::to_string(values_.size()) + " values for " +
                                  std::to_string(boundaries_.size()) + " boundaries; one more is needed");
  }
  Tensor rate(const ScheduleContext& context) const override {
    Tensor rate = full({}, values_.front());
    for (std::size_t k = 0; k < boundaries_.size(); ++k)
      rate = where(context.step >= static_cast<double>(boundaries_[k]), values_[k + 1], rate);
    return rate;
  }

 private:
  std::vector<std::int64_t> boundaries_;
  std::vector<double> values_;
};

LOPT_PLUGIN(Piecewise, "piecewise", {.summary = "Constant rates, each from an update on"})
