#pragma once
// What a comparison of estimators says: a table, figures, and a sentence of advice.

#include "data/json.h"
#include "learn/estimator_comparison.h"
#include "report/figure.h"

namespace lopt {

/// Meta-steps whose time is what the advice looks at: in about so many, a meta-optimizer averages the noise.
inline constexpr double advised_meta_steps = 100;

class EstimatorReport {
 public:
  explicit EstimatorReport(EstimatorComparison comparison) : comparison_(std::move(comparison)) {}

  /// A table for each length of problems, and the advice.
  std::string text() const;
  Json json() const;
  /// Bias and noise by length; for one length, noise against bias.
  std::vector<Figure> figures() const;
  /// A page of HTML, called so.
  std::string page(const std::string& title) const;
  /// Which estimator to take, for each length; a sentence each.
  std::vector<std::string> advice() const;

 private:
  std::vector<const EstimatorMeasure*> of_length(std::int64_t length) const;
  static std::vector<std::string> head();
  static std::vector<std::string> row(const EstimatorMeasure& measure);
  std::string truth_text(std::size_t index) const;

  EstimatorComparison comparison_;
};

}  // namespace lopt
