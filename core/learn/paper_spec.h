#pragma once
// What `lopt-run reproduce` reads: a paper's experiment as runs, figures of them, and what is claimed.

#include "spec/node.h"

#include <cstdint>
#include <optional>

namespace lopt {

/// A meta-training of the experiment; its label is the file's name without its ending.
struct PaperRun {
  std::string label, file;
};

/// What a figure shows; which of the fields count is the kind's business.
struct PaperFigure {
  enum class Kind {
    curves,      // a number of each run's metrics, by meta-step or by time
    surface,     // the mean loss of whole problems over two weights of θ, and the runs' ways over it
    estimators,  // bias or noise of estimators, by the length of problems
    evaluation,  // optimizers on tasks: losses by step and by time
  };
  Kind kind = Kind::curves;
  std::string title, x_label, y_label;
  bool log_x = false, log_y = false;
  std::vector<std::pair<std::string, double>> marks;  // lines across, by their words
  std::vector<std::string> runs;                      // labels; empty: all

  std::string what, by;  // curves: "meta_loss", "theta.log_rate"; "steps" or "seconds"

  std::string spec;                            // of the others: the file
  std::string across, up;                      // surface: weights, as "log_a" or "log_rate/1"
  std::vector<double> across_range, up_range;  // low and high
  std::int64_t cells = 0, problems = 0;        // a side; for each cell
  double largest = 0;                          // what losses count at most

  std::vector<std::string> estimators;  // names, or settings in braces
  std::vector<std::int64_t> lengths;
  double seconds = 0;
  std::string shown;                  // "bias" or "noise"
  std::vector<std::string> crossing;  // two estimators, the length at which the noise of the first passes the second's
};

/// A number of some runs that must lie somewhere for the claim to hold.
struct PaperClaim {
  std::string what;
  std::vector<std::string> of;
  std::optional<double> at_least, at_most;
  std::string below, above;  // another label, whose number is taken `times`
  double times = 1;
  Location where;
};

struct PaperSpec {
  std::string name, paper, claim;
  std::vector<PaperRun> runs;
  std::string worth;  // the spec whose meta-objective of whole problems at a run's last θ is its "loss"; empty: none
  std::int64_t worth_problems = 0;
  std::vector<PaperFigure> figures;
  std::vector<PaperClaim> holds;
};

/// `folder`: where the files that it names lie. Throws SpecError with all that is wrong.
PaperSpec load_paper(const SpecNode& spec, const std::string& folder);

}  // namespace lopt
