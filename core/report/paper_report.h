#pragma once
// What came of a paper's experiment: numbers of its runs, whether the claim holds, and the page.

#include "data/json.h"
#include "learn/paper_spec.h"
#include "report/figure.h"

#include <map>

namespace lopt {

/// What is known of each label, by name: {"pes": {"theta": −0.16, "meta_loss": 0.4}}.
using PaperNumbers = std::map<std::string, std::map<std::string, double>>;

/// A run's metrics, line by line.
struct PaperSeries {
  std::vector<double> seconds;  // since the start, after each step
  std::map<std::string, std::vector<double>> values;
};
/// Of a run's folder: its meta-loss, and each weight of a small θ as "theta.NAME"; of one weight also as "theta".
PaperSeries read_series(const std::string& folder);
/// The mean of the last tenth of each, and the seconds in all.
std::map<std::string, double> last_numbers(const PaperSeries& series);
/// A curve of a figure: at most 400 points, of a meta-loss means of what is around.
FigureCurve curve_of(const PaperSeries& series, const std::string& label, const std::string& what,
                     const std::string& by);

class PaperReport {
 public:
  PaperReport(PaperSpec spec, PaperNumbers numbers, std::vector<Figure> figures, std::vector<std::string> remarks)
      : spec_(std::move(spec)),
        numbers_(std::move(numbers)),
        figures_(std::move(figures)),
        remarks_(std::move(remarks)) {}

  const std::vector<Figure>& figures() const { return figures_; }
  /// Whether all that must hold does. What is not known does not.
  bool holds() const;
  /// "The claim holds here: …", or that it does not, and what does not.
  std::string sentence() const;
  std::string text() const;
  Json json() const;
  std::string page() const;

 private:
  struct Checked {
    std::string words;
    bool holds = false;
  };
  std::vector<Checked> checked() const;
  const double* find(const std::string& label, const std::string& what) const;

  PaperSpec spec_;
  PaperNumbers numbers_;
  std::vector<Figure> figures_;
  std::vector<std::string> remarks_;  // what else is said, a sentence each
};

}  // namespace lopt
