#include "report/evaluation_report.h"

#include "report/curves.h"
#include "report/text_width.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

namespace lopt {
namespace {

double mean(const std::vector<double>& values) {
  return values.empty() ? std::nan("")
                        : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// 95 % of the means of values that are drawn from these, as many with replacement.
std::pair<double, double> bootstrap_interval(const std::vector<double>& values) {
  constexpr std::size_t draws = 2000;
  std::mt19937 random(1);
  std::vector<double> means;
  for (std::size_t draw = 0; draw < draws; ++draw) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random() % values.size()];
    means.push_back(sum / static_cast<double>(values.size()));
  }
  std::sort(means.begin(), means.end());
  return {means[draws / 40], means[draws - 1 - draws / 40]};
}

/// "12 % below", "4 % above", "as high", "3.5 times as high".
std::string in_percent(double ratio) {
  if (!std::isfinite(ratio)) return "diverged";
  if (ratio >= 3) return fmt::format("{:.2g} times as high", ratio);
  const double percent = 100 * (ratio - 1);
  return std::abs(percent) < 0.5 ? "as high"
                                 : fmt::format("{:.0f} % {}", std::abs(percent), percent < 0 ? "below" : "above");
}

/// Half the width of the 95 % bootstrap interval of the ratio of two means over the same problems, in percent.
double half_width_of_ratio(const std::vector<double>& own, const std::vector<double>& other) {
  // To first order, the ratio of means is the mean of these.
  std::vector<double> parts;
  const double ratio = mean(own) / mean(other);
  for (std::size_t i = 0; i < own.size(); ++i) parts.push_back(ratio + (own[i] - ratio * other[i]) / mean(other));
  const auto [low, high] = bootstrap_interval(parts);
  return 50 * (high - low);
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(std::isfinite(value) ? Json(value) : Json());
  return list;
}
std::vector<double> numbers_from(const Json& list) {
  std::vector<double> values;
  for (const Json& value : list) values.push_back(value.is_number() ? value.get<double>() : std::nan(""));
  return values;
}
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

/// Lines of at most 80 characters behind an indent, which is deeper from the second line on.
std::string wrapped(const std::string& text, std::string indent) {
  constexpr std::size_t width = 80;
  std::string result, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
      result += indent + line + "\n";
      if (result.find('\n') == result.size() - 1) indent += "  ";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return result + indent + line + "\n";
}

}  // namespace

/// A row beside the baseline's.
struct EvaluationReport::Beside {
  double ratio = 1;                     // of mean losses
  std::size_t wins = 0, problems = 0;   // seeds on which it is below
  std::optional<std::int64_t> reached;  // steps until it is as low as the baseline ends
  double time_ratio = 0;                // of the time until then, to the baseline's whole
};

Json to_json(const EvaluationRow& row) {
  const Score& score = row.score;
  Json metrics = Json::object();
  for (const auto& [name, value] : score.test_metrics) metrics[name] = number(value);
  return {{"task", row.task},
          {"optimizer", row.optimizer},
          {"settings", row.settings},
          {"steps", row.steps},
          {"horizon", row.horizon},
          {"mean_losses", numbers(score.mean_loss)},
          {"final_losses", numbers(score.final_loss)},
          {"test_losses", numbers(score.test_loss)},
          {"test_metrics", metrics},
          {"diverged", score.diverged},
          {"curve", numbers({score.curve.begin(), score.curve.end()})},
          {"seconds_a_step", score.seconds_a_step},
          {"rate", score.rate}};
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
  row.score.rate = json.at("rate");
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

EvaluationReport::EvaluationReport(std::vector<EvaluationRow> rows, std::string baseline)
    : rows_(std::move(rows)), baseline_(std::move(baseline)) {}

std::vector<std::pair<std::string, std::int64_t>> EvaluationReport::groups() const {
  std::vector<std::pair<std::string, std::int64_t>> groups;
  for (const EvaluationRow& row : rows_)
    if (std::find(groups.begin(), groups.end(), std::pair(row.task, row.steps)) == groups.end())
      groups.emplace_back(row.task, row.steps);
  return groups;
}

std::vector<const EvaluationRow*> EvaluationReport::rows_of(const std::string& task, std::int64_t steps) const {
  std::vector<const EvaluationRow*> rows;
  for (const EvaluationRow& row : rows_)
    if (row.task == task && row.steps == steps) rows.push_back(&row);
  return rows;
}

const EvaluationRow* EvaluationReport::baseline_of(const std::string& task, std::int64_t steps) const {
  for (const EvaluationRow* row : rows_of(task, steps))
    if (row->optimizer == baseline_) return row;
  return nullptr;
}

EvaluationReport::Beside EvaluationReport::beside(const EvaluationRow& row, const EvaluationRow& baseline) const {
  Beside beside;
  beside.ratio = mean(row.score.mean_loss) / mean(baseline.score.mean_loss);
  beside.problems = row.score.mean_loss.size();
  for (std::size_t i = 0; i < beside.problems; ++i) beside.wins += row.score.mean_loss[i] < baseline.score.mean_loss[i];
  const std::size_t window = std::max<std::size_t>(1, row.score.curve.size() / 10);
  const double goal = mean(baseline.score.final_loss);
  double sum = 0;
  for (std::size_t k = 0; k < row.score.curve.size() && !beside.reached; ++k) {
    sum += static_cast<double>(row.score.curve[k]);
    if (k >= window) sum -= static_cast<double>(row.score.curve[k - window]);
    if (k + 1 >= window && sum / static_cast<double>(window) <= goal) beside.reached = static_cast<std::int64_t>(k) + 1;
  }
  if (beside.reached)
    beside.time_ratio = static_cast<double>(*beside.reached) * row.score.seconds_a_step /
                        (static_cast<double>(row.steps) * baseline.score.seconds_a_step);
  return beside;
}

std::string EvaluationReport::table(const std::string& task, std::int64_t steps) const {
  const std::vector<const EvaluationRow*> rows = rows_of(task, steps);
  const EvaluationRow* baseline = baseline_of(task, steps);
  const std::size_t problems = rows[0]->score.mean_loss.size();
  std::string text = fmt::format("\n{}, {} steps, {} problems\n", task, steps, problems);
  text += fmt::format("  {}{:>8}{:>17}{:>10}{:>8}{:>7}{:>6}{:>6}\n", fitted("", 16), "rate", "mean loss", "at end",
                      "test", "µs", "ratio", "wins");
  for (const EvaluationRow* row : rows) {
    const Score& score = row->score;
    const auto [low, high] = bootstrap_interval(score.mean_loss);
    text += fmt::format("  {}{:>8}{:>17}{:>10.3g}{:>8}{:>6.0f}", fitted(row->optimizer, 16),
                        score.rate > 0 ? fmt::format("{:.2g}", score.rate) : "",
                        fmt::format("{:.3g} ± {:.1g}", mean(score.mean_loss), (high - low) / 2), mean(score.final_loss),
                        score.test_loss.empty() ? "" : fmt::format("{:.3g}", mean(score.test_loss)),
                        score.seconds_a_step * 1e6);
    if (baseline && baseline != row) {
      const Beside b = beside(*row, *baseline);
      text += fmt::format("{:>6}{:>6}", b.ratio < 100 ? fmt::format("{:.2f}", b.ratio) : fmt::format("{:.0e}", b.ratio),
                          fmt::format("{}/{}", b.wins, b.problems));
    }
    if (score.diverged) text += fmt::format("\n    {} of {} diverged", score.diverged, problems);
    text += "\n";
  }
  return text;
}

std::string EvaluationReport::verdict(const std::string& optimizer, std::int64_t steps) const {
  std::vector<double> ratios, shares, tests;
  std::string worst;
  std::size_t below = 0, diverged = 0;
  std::int64_t horizon = 0;
  double half_width = 0;
  for (const auto& [task, length] : groups()) {
    const EvaluationRow* baseline = length == steps ? baseline_of(task, steps) : nullptr;
    if (!baseline) continue;
    for (const EvaluationRow* row : rows_of(task, steps)) {
      if (row->optimizer != optimizer) continue;
      const Beside b = beside(*row, *baseline);
      if (ratios.empty() || !(b.ratio <= *std::max_element(ratios.begin(), ratios.end()))) worst = task;
      ratios.push_back(std::isfinite(b.ratio) ? b.ratio : std::numeric_limits<double>::infinity());
      below += b.ratio < 1;
      diverged += row->score.diverged;
      horizon = row->horizon;
      half_width = half_width_of_ratio(row->score.mean_loss, baseline->score.mean_loss);
      if (b.reached) shares.push_back(static_cast<double>(*b.reached) / static_cast<double>(steps));
      if (!row->score.test_loss.empty() && !baseline->score.test_loss.empty())
        tests.push_back(mean(row->score.test_loss) / mean(baseline->score.test_loss));
    }
  }
  if (ratios.empty()) return "";
  std::string text = fmt::format("{} steps: ", steps);
  if (ratios.size() == 1)
    text += fmt::format("mean loss {}{}", in_percent(ratios[0]),
                        std::isfinite(ratios[0]) && ratios[0] < 3 ? fmt::format(" (± {:.0f})", half_width) : "");
  else
    text += fmt::format("below on {} of {} tasks; median {}, worst {} ({})", below, ratios.size(),
                        in_percent(median(ratios)), in_percent(*std::max_element(ratios.begin(), ratios.end())), worst);
  if (!tests.empty()) text += fmt::format("; test loss {}", in_percent(median(tests)));
  text += shares.size() < ratios.size()
              ? fmt::format("; as low as it ends on {} of {}", shares.size(), ratios.size())
              : fmt::format("; as low as it ends after {:.0f} % of the steps", 100 * median(shares));
  if (diverged) text += fmt::format("; {} problems diverged", diverged);
  if (horizon > 0 && steps > horizon) text += fmt::format("; the horizon of its training was {}", horizon);
  return text;
}

std::vector<std::string> EvaluationReport::others() const {
  std::vector<std::string> optimizers;
  for (const EvaluationRow& row : rows_)
    if (row.optimizer != baseline_ &&
        std::find(optimizers.begin(), optimizers.end(), row.optimizer) == optimizers.end())
      optimizers.push_back(row.optimizer);
  return optimizers;
}

std::set<std::int64_t> EvaluationReport::lengths() const {
  std::set<std::int64_t> lengths;
  for (const EvaluationRow& row : rows_) lengths.insert(row.steps);
  return lengths;
}

std::vector<std::string> EvaluationReport::verdicts() const {
  std::vector<std::string> sentences;
  for (const std::string& optimizer : others())
    for (const std::int64_t steps : lengths())
      if (const std::string sentence = verdict(optimizer, steps); !sentence.empty())
        sentences.push_back(fmt::format("{} beside {}, {}", optimizer, baseline_, sentence));
  return sentences;
}

std::string EvaluationReport::text() const {
  std::string text;
  for (const auto& [task, steps] : groups()) text += table(task, steps);
  text += fmt::format("\nBeside {}:\n", baseline_);
  for (const std::string& optimizer : others()) {
    text += fmt::format("  {}\n", optimizer);
    for (const std::int64_t steps : lengths())
      if (const std::string sentence = verdict(optimizer, steps); !sentence.empty()) text += wrapped(sentence, "    ");
  }
  return text;
}

Json EvaluationReport::json() const {
  Json results = Json::array();
  for (const EvaluationRow& row : rows_) {
    const Score& score = row.score;
    const auto [low, high] = bootstrap_interval(score.mean_loss);
    Json json{{"task", row.task},
              {"optimizer", row.optimizer},
              {"steps", row.steps},
              {"mean_loss", number(mean(score.mean_loss))},
              {"mean_loss_interval", numbers({low, high})},
              {"final_loss", number(mean(score.final_loss))},
              {"test_loss", score.test_loss.empty() ? Json() : number(mean(score.test_loss))},
              {"diverged", static_cast<double>(score.diverged) / static_cast<double>(score.mean_loss.size())},
              {"seconds_a_step", score.seconds_a_step},
              {"settings", row.settings}};
    Json metrics = Json::object();
    for (const auto& [name, value] : score.test_metrics) metrics[name] = number(value);
    json["test_metrics"] = metrics;
    json["rate"] = score.rate > 0 ? Json(score.rate) : Json();
    json["mean_losses"] = numbers(score.mean_loss);
    if (const EvaluationRow* baseline = baseline_of(row.task, row.steps);
        baseline && baseline->optimizer != row.optimizer) {
      const Beside b = beside(row, *baseline);
      json["ratio"] = number(b.ratio);
      json["wins"] = b.wins;
      json["losses"] = b.problems - b.wins;
      json["steps_to_baseline_end"] = b.reached ? Json(*b.reached) : Json();
      json["time_to_baseline_end"] = b.reached ? number(b.time_ratio) : Json();
    }
    results.push_back(std::move(json));
  }
  return {{"baseline", baseline_}, {"results", results}};
}

std::string EvaluationReport::csv() const {
  std::string text =
      "task,optimizer,steps,rate,mean_loss,low,high,final_loss,test_loss,diverged,seconds_a_step,ratio,wins\n";
  const auto quoted = [](std::string name) {
    for (std::size_t at = 0; (at = name.find('"', at)) != std::string::npos; at += 2) name.insert(at, 1, '"');
    return '"' + name + '"';
  };
  const Json all = json();
  for (const Json& row : all.at("results")) {
    const auto cell = [&](const char* key) {
      return row.contains(key) && !row[key].is_null() ? to_text(row[key]) : "";
    };
    const Json& interval = row.at("mean_loss_interval");
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(row.at("task")), quoted(row.at("optimizer")),
                    cell("steps"), cell("rate"), cell("mean_loss"), interval[0].is_null() ? "" : to_text(interval[0]),
                    interval[1].is_null() ? "" : to_text(interval[1]), cell("final_loss"), cell("test_loss"),
                    cell("diverged"), cell("seconds_a_step"), cell("ratio"), cell("wins"));
  }
  return text;
}

std::string EvaluationReport::curves(const std::string& task, std::int64_t steps) const {
  std::vector<Curve> curves;
  for (const EvaluationRow* row : rows_of(task, steps))
    curves.push_back({row->score.rate > 0 ? fmt::format("{} {:.2g}", row->optimizer, row->score.rate) : row->optimizer,
                      row->score.curve});
  return curves_svg(fmt::format("{}: mean of {} problems", task, rows_of(task, steps)[0]->score.mean_loss.size()),
                    "inner step", "training loss", curves, true);
}

}  // namespace lopt
