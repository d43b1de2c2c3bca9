#pragma once
// What an evaluation found: as words and tables, as JSON, as a table for other programs, as curves.

#include "report/evaluation_row.h"

#include <functional>
#include <set>

namespace lopt {

/// All rows of an evaluation; the baseline is the first contender whose rate is tuned, or else the first.
class EvaluationReport {
 public:
  EvaluationReport(std::vector<EvaluationRow> rows, std::string baseline);

  /// A table for each task and length in 80 columns, and what all of them say, in words.
  std::string text() const;
  /// What all of them say beside the baseline, a sentence for each optimizer and length.
  std::vector<std::string> verdicts() const;
  /// A task for one length, in 80 columns.
  std::string table(const std::string& task, std::int64_t steps) const;
  /// {"baseline", "results": [{"task", "optimizer", "steps", "mean_loss", "mean_loss_interval", …}]}.
  Json json() const;
  std::string csv() const;
  /// Mean training loss by step, of all optimizers on a task.
  std::string curves(const std::string& task, std::int64_t steps) const;
  /// The tasks and lengths that there are.
  std::vector<std::pair<std::string, std::int64_t>> groups() const;

 private:
  /// What a task's results of one length are held against, for their losses or for those of test data; null: nothing.
  using Other = std::function<const EvaluationRow*(const std::string& task, std::int64_t steps,
                                                   std::vector<double> Score::*losses)>;
  std::vector<const EvaluationRow*> rows_of(const std::string& task, std::int64_t steps) const;
  /// Null where there is none.
  const EvaluationRow* row_of(const std::string& task, std::int64_t steps, const std::string& optimizer) const;
  const EvaluationRow* baseline_of(const std::string& task, std::int64_t steps) const;
  /// Of those that are tuned the one whose mean of these losses is least; null where there is none.
  const EvaluationRow* best_tuned(const std::string& task, std::int64_t steps,
                                  std::vector<double> Score::*losses) const;
  /// What all are held against, with a name: the best of the tuned, where there are several, and the baseline.
  std::vector<std::pair<std::string, Other>> others_beside() const;
  std::vector<std::string> others() const;
  std::set<std::int64_t> lengths() const;
  /// Of all optimizers but the baseline beside all: medians, and on how many tasks they are below.
  std::string each_beside_each(std::int64_t steps) const;
  std::string beside_on_all(const std::string& name, const std::string& other, std::int64_t steps) const;
  /// What is said of an optimizer beside another, a sentence for each length.
  struct Verdicts {
    std::string other, optimizer;
    std::vector<std::string> sentences;
  };
  std::vector<Verdicts> all_verdicts() const;
  std::string verdict(const std::string& optimizer, std::int64_t steps, const Other& other) const;

  std::vector<EvaluationRow> rows_;
  std::string baseline_;
  std::set<std::string> tuned_;  // optimizers
};

}  // namespace lopt
