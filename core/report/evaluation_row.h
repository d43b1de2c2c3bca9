#pragma once
// One result of an evaluation, and the line in which its folder keeps it.

#include "data/json.h"
#include "learn/evaluation.h"

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

/// null where it is not finite.
Json json_of(double value);
Json json_of(const std::vector<double>& values);

}  // namespace lopt
