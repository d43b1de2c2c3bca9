#pragma once
// What an evaluation found: as words and tables, as JSON, as a table for other programs, as curves.

#include "data/json.h"
#include "learn/evaluation.h"

#include <set>

namespace lopt {

/// One optimizer on one task for so many steps.
struct EvaluationRow {
  std::string task, optimizer, settings;
  std::int64_t steps = 0;
  std::int64_t horizon = 0;  // steps of the longest problem that a learned rule was trained on; 0: not known
  Score score;
};

/// A line of JSON from which the row can be read again; the mean curve included.
Json to_json(const EvaluationRow& row);
/// Throws Json::exception where it is none.
EvaluationRow row_from(const Json& json);

/// The rows of a file that are whole, and how many bytes their lines are.
std::pair<std::vector<EvaluationRow>, std::size_t> read_rows(const std::string& file);

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
  struct Beside;
  std::vector<const EvaluationRow*> rows_of(const std::string& task, std::int64_t steps) const;
  const EvaluationRow* baseline_of(const std::string& task, std::int64_t steps) const;
  Beside beside(const EvaluationRow& row, const EvaluationRow& baseline) const;
  std::vector<std::string> others() const;
  std::set<std::int64_t> lengths() const;
  std::string verdict(const std::string& optimizer, std::int64_t steps) const;

  std::vector<EvaluationRow> rows_;
  std::string baseline_;
};

}  // namespace lopt
