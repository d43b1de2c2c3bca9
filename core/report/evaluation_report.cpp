#include "report/evaluation_report.h"

#include "report/curves.h"
#include "report/text_width.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
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

/// A number of at most eight characters.
std::string in_eight(double value) {
  const std::string text = fmt::format("{:.3g}", value);
  return text.size() <= 8 ? text : fmt::format("{:.1e}", value);
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

const EvaluationRow* EvaluationReport::row_of(const std::string& task, std::int64_t steps,
                                              const std::string& optimizer) const {
  for (const EvaluationRow* row : rows_of(task, steps))
    if (row->optimizer == optimizer) return row;
  return nullptr;
}

const EvaluationRow* EvaluationReport::baseline_of(const std::string& task, std::int64_t steps) const {
  return row_of(task, steps, baseline_);
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
  text += fmt::format("  {}{:>8}{:>17}{:>9}{:>9}{:>7}{:>6}{:>6}\n", fitted("", 16), "rate", "mean loss", "at end",
                      "test", "µs", "ratio", "wins");
  for (const EvaluationRow* row : rows) {
    const Score& score = row->score;
    const auto [low, high] = bootstrap_interval(score.mean_loss);
    text += fmt::format("  {}{:>8}{:>17}{:>9}{:>9}{:>6.0f}", fitted(row->optimizer, 16),
                        score.rate > 0 ? fmt::format("{:.2g}", score.rate) : "",
                        fmt::format("{:.3g} ± {:.1g}", mean(score.mean_loss), (high - low) / 2),
                        in_eight(mean(score.final_loss)),
                        score.test_loss.empty() ? "" : in_eight(mean(score.test_loss)), score.seconds_a_step * 1e6);
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

std::string EvaluationReport::each_beside_each(std::int64_t steps) const {
  constexpr std::size_t columns = 4;
  const std::vector<std::string> rows = others();
  std::vector<std::string> names{baseline_};
  names.insert(names.end(), rows.begin(), rows.end());
  std::string text;
  for (std::size_t first = 0; first < names.size(); first += columns) {
    const std::vector<std::string> across(
        names.begin() + static_cast<std::ptrdiff_t>(first),
        names.begin() + static_cast<std::ptrdiff_t>(std::min(first + columns, names.size())));
    text += fmt::format("  {}", fitted("", 17));
    for (const std::string& name : across) text += " " + fitted(name, 14);
    text += "\n";
    for (const std::string& name : rows) {
      text += fmt::format("  {}", fitted(name, 17));
      for (const std::string& other : across)
        text += " " + fitted(name == other ? "" : beside_on_all(name, other, steps), 14);
      text += "\n";
    }
  }
  return text;
}

std::string EvaluationReport::beside_on_all(const std::string& name, const std::string& other,
                                            std::int64_t steps) const {
  std::vector<double> ratios;
  std::size_t below = 0;
  for (const auto& [task, length] : groups()) {
    if (length != steps) continue;
    const EvaluationRow *row = row_of(task, steps, name), *beside = row_of(task, steps, other);
    if (!row || !beside) continue;
    const double ratio = mean(row->score.mean_loss) / mean(beside->score.mean_loss);
    ratios.push_back(std::isfinite(mean(row->score.mean_loss)) && !std::isnan(ratio)
                         ? ratio
                         : std::numeric_limits<double>::infinity());
    below += ratios.back() < 1;
  }
  if (ratios.empty()) return "";
  const double middle = median(ratios);
  return fmt::format("{} ({}/{})", middle < 100 ? fmt::format("{:.2f}", middle) : fmt::format("{:.0e}", middle), below,
                     ratios.size());
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
  if (others().size() > 1)
    for (const std::int64_t steps : lengths())
      text += fmt::format(
                  "\nMean loss of each line over that of each column, {} steps:\nmedian of the tasks (on how many it "
                  "is below)\n",
                  steps) +
              each_beside_each(steps);
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
              {"mean_loss", json_of(mean(score.mean_loss))},
              {"mean_loss_interval", json_of(std::vector<double>{low, high})},
              {"final_loss", json_of(mean(score.final_loss))},
              {"test_loss", score.test_loss.empty() ? Json() : json_of(mean(score.test_loss))},
              {"diverged", static_cast<double>(score.diverged) / static_cast<double>(score.mean_loss.size())},
              {"seconds_a_step", score.seconds_a_step},
              {"settings", row.settings}};
    Json metrics = Json::object();
    for (const auto& [name, value] : score.test_metrics) metrics[name] = json_of(value);
    json["test_metrics"] = metrics;
    json["rate"] = score.rate > 0 ? Json(score.rate) : Json();
    json["mean_losses"] = json_of(score.mean_loss);
    if (const EvaluationRow* baseline = baseline_of(row.task, row.steps);
        baseline && baseline->optimizer != row.optimizer) {
      const Beside b = beside(row, *baseline);
      json["ratio"] = json_of(b.ratio);
      json["wins"] = b.wins;
      json["losses"] = b.problems - b.wins;
      json["steps_to_baseline_end"] = b.reached ? Json(*b.reached) : Json();
      json["time_to_baseline_end"] = b.reached ? json_of(b.time_ratio) : Json();
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
