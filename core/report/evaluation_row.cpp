#include "report/evaluation_row.h"

#include <cmath>
#include <fstream>

namespace lopt {
namespace {

std::vector<double> numbers_from(const Json& list) {
  std::vector<double> values;
  for (const Json& value : list) values.push_back(value.is_number() ? value.get<double>() : std::nan(""));
  return values;
}

}  // namespace

Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json json_of(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(json_of(value));
  return list;
}

Json to_json(const EvaluationRow& row) {
  const Score& score = row.score;
  Json metrics = Json::object();
  for (const auto& [name, value] : score.test_metrics) metrics[name] = json_of(value);
  Json test_curve = Json::array();
  for (const auto& [steps, loss] : score.test_curve) test_curve.push_back({steps, json_of(loss)});
  return {{"task", row.task},
          {"optimizer", row.optimizer},
          {"settings", row.settings},
          {"steps", row.steps},
          {"horizon", row.horizon},
          {"mean_losses", json_of(score.mean_loss)},
          {"final_losses", json_of(score.final_loss)},
          {"test_losses", json_of(score.test_loss)},
          {"test_metrics", metrics},
          {"diverged", score.diverged},
          {"curve", json_of(std::vector<double>(score.curve.begin(), score.curve.end()))},
          {"test_curve", test_curve},
          {"seconds_a_step", score.seconds_a_step},
          {"rate", score.rate},
          {"test_rate", score.test_rate},
          {"is_beyond_usual_rates", score.is_beyond_usual_rates}};
}

EvaluationRow row_from(const Json& json) {
  EvaluationRow row{json.at("task"),  json.at("optimizer"), json.at("settings"),
                    json.at("steps"), json.at("horizon"),   {}};
  row.score.mean_loss = numbers_from(json.at("mean_losses"));
  row.score.final_loss = numbers_from(json.at("final_losses"));
  row.score.test_loss = numbers_from(json.at("test_losses"));
  for (const auto& [name, value] : json.at("test_metrics").items())
    row.score.test_metrics.emplace_back(name, value.is_number() ? value.get<double>() : std::nan(""));
  row.score.diverged = json.at("diverged");
  for (const double value : numbers_from(json.at("curve"))) row.score.curve.push_back(static_cast<float>(value));
  row.score.seconds_a_step = json.at("seconds_a_step");
  for (const Json& point : json.at("test_curve"))
    row.score.test_curve.emplace_back(point.at(0), point.at(1).is_number() ? point.at(1).get<double>() : std::nan(""));
  row.score.rate = json.at("rate");
  row.score.test_rate = json.at("test_rate");
  row.score.is_beyond_usual_rates = json.at("is_beyond_usual_rates");
  return row;
}

std::pair<std::vector<EvaluationRow>, std::size_t> read_rows(const std::string& file) {
  std::vector<EvaluationRow> rows;
  std::size_t bytes = 0;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line) && !lines.eof(); bytes += line.size() + 1) try {
      rows.push_back(row_from(parse_json(line)));
    } catch (const Json::exception&) {
      break;  // a line that was being written when the process ended
    }
  return {std::move(rows), bytes};
}

}  // namespace lopt
