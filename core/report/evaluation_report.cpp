#include "report/evaluation_report.h"

#include "report/curves.h"
#include "report/evaluation_beside.h"
#include "report/samples.h"
#include "report/text_width.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace lopt {
namespace {

/// A number of at most eight characters.
std::string in_eight(double value) {
  if (!std::isfinite(value)) return "infinite";
  const std::string text = fmt::format("{:.3g}", value);
  return text.size() <= 8 ? text : fmt::format("{:.1e}", value);
}

std::string in_microseconds(double seconds) {
  return seconds < 1e-5 ? fmt::format("{:.1f}", seconds * 1e6) : fmt::format("{:.0f}", seconds * 1e6);
}

/// A ratio of at most six characters.
std::string in_six(double ratio) { return ratio < 100 ? fmt::format("{:.2f}", ratio) : fmt::format("{:.0e}", ratio); }

/// "; as low as it gets after 40 % of its steps, 55 % of its time", or on how many tasks it is.
std::string reached_in_words(const std::string& what, const std::vector<double>& steps,
                             const std::vector<double>& times, std::size_t tasks) {
  if (times.empty()) return fmt::format("; {} on none", what);
  std::string text = "; " + what + " after ";
  if (!steps.empty()) text += fmt::format("{:.0f} % of its steps, ", 100 * median(steps));
  text += fmt::format("{:.0f} % of its time", 100 * median(times));
  if (times.size() < tasks) text += fmt::format(" on {} of {}", times.size(), tasks);
  return text;
}

/// Which of the rates are none that are usual.
std::string beyond(const Score& score) {
  return score.test_rate == 0 || score.test_rate == score.rate
             ? fmt::format("its best rate, {:.2g}, lies beyond 1e-4 to 1", score.rate)
             : fmt::format("its best rates, {:.2g} and for test data {:.2g}, lie beyond 1e-4 to 1", score.rate,
                           score.test_rate);
}

Json reached_json(const std::optional<Reached>& reached) {
  if (!reached) return {};
  Json json;
  json["steps"] = reached->steps;
  json["share_of_steps"] = reached->share_of_steps;
  json["share_of_time"] = reached->share_of_time;
  return json;
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

EvaluationReport::EvaluationReport(std::vector<EvaluationRow> rows, std::string baseline)
    : rows_(std::move(rows)), baseline_(std::move(baseline)) {
  for (const EvaluationRow& row : rows_)
    if (row.score.rate > 0) tuned_.insert(row.optimizer);
}

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

const EvaluationRow* EvaluationReport::best_tuned(const std::string& task, std::int64_t steps,
                                                  std::vector<double> Score::*losses) const {
  const EvaluationRow* best = nullptr;
  for (const EvaluationRow* row : rows_of(task, steps)) {
    if (row->score.rate == 0 || (row->score.*losses).empty()) continue;
    if (!best || mean(row->score.*losses) < mean(best->score.*losses)) best = row;
  }
  return best;
}

std::string EvaluationReport::table(const std::string& task, std::int64_t steps) const {
  const std::vector<const EvaluationRow*> rows = rows_of(task, steps);
  const EvaluationRow* baseline = baseline_of(task, steps);
  const EvaluationRow* best = tuned_.size() > 1 ? best_tuned(task, steps, &Score::mean_loss) : nullptr;
  const std::size_t problems = rows[0]->score.mean_loss.size();
  std::string text = fmt::format("\n{}, {} steps, {} problems\n", task, steps, problems);
  text += fmt::format("  {}{:>8}{:>17}{:>9}{:>9}{:>7}{:>6}{:>6}\n", fitted("", 16), "rate", "mean loss", "at end",
                      "test", "µs", "ratio", best ? "best" : "wins");
  for (const EvaluationRow* row : rows) {
    const Score& score = row->score;
    const auto [low, high] = bootstrap_interval(score.mean_loss);
    text += fmt::format(
        "  {}{:>8}{:>17}{:>9}{:>9}{:>6}", fitted(row->optimizer, 16),
        score.rate > 0 ? fmt::format("{:.2g}", score.rate) : "",
        std::isfinite(mean(score.mean_loss)) ? fmt::format("{:.3g} ± {:.1g}", mean(score.mean_loss), (high - low) / 2)
                                             : "infinite",
        in_eight(mean(score.final_loss)), score.test_loss.empty() ? "" : in_eight(mean(score.test_loss)),
        in_microseconds(score.seconds_a_step));
    const Beside to_baseline = baseline ? beside(*row, *baseline) : Beside{};
    text += fmt::format("{:>6}", baseline && baseline != row ? in_six(to_baseline.ratio) : "");
    if (best)
      text += fmt::format("{:>6}", best != row ? in_six(ratio_of_mean_losses(*row, *best)) : "");
    else if (baseline && baseline != row)
      text += fmt::format("{:>6}", fmt::format("{}/{}", to_baseline.wins, to_baseline.problems));
    if (score.diverged) text += fmt::format("\n    {} of {} diverged", score.diverged, problems);
    if (score.is_beyond_usual_rates) text += fmt::format("\n    {}", beyond(score));
    text += "\n";
  }
  return text;
}

std::string EvaluationReport::verdict(const std::string& optimizer, std::int64_t steps, const Other& other) const {
  std::vector<double> ratios, step_shares, time_shares, tests, test_times;
  std::string worst, worst_test;
  std::size_t below = 0, diverged = 0;
  std::int64_t horizon = 0;
  double half_width = 0;
  for (const auto& [task, length] : groups()) {
    const EvaluationRow* row = length == steps ? row_of(task, steps, optimizer) : nullptr;
    const EvaluationRow* by_loss = row ? other(task, steps, &Score::mean_loss) : nullptr;
    if (!by_loss) continue;
    const Beside b = beside(*row, *by_loss);
    if (ratios.empty() || b.ratio > largest(ratios)) worst = task;
    ratios.push_back(b.ratio);
    below += b.ratio < 1;
    diverged += row->score.diverged;
    horizon = row->horizon;
    half_width = half_width_of_ratio(row->score.mean_loss, by_loss->score.mean_loss);
    if (b.loss) {
      step_shares.push_back(b.loss->share_of_steps);
      time_shares.push_back(b.loss->share_of_time);
    }
    const EvaluationRow* by_test = other(task, steps, &Score::test_loss);
    const Beside of_test = by_test ? beside(*row, *by_test) : Beside{};
    if (of_test.test_ratio) {
      if (tests.empty() || *of_test.test_ratio > largest(tests)) worst_test = task;
      tests.push_back(*of_test.test_ratio);
    }
    if (of_test.test) test_times.push_back(of_test.test->share_of_time);
  }
  if (ratios.empty()) return "";
  std::string text = fmt::format("{} steps: ", steps);
  if (ratios.size() == 1)
    text += fmt::format("mean loss {}{}", in_percent(ratios[0]),
                        std::isfinite(ratios[0]) && ratios[0] < 3 ? fmt::format(" (± {:.0f})", half_width) : "");
  else
    text += fmt::format("below on {} of {} tasks; median {}, worst {} ({})", below, ratios.size(),
                        in_percent(median(ratios)), in_percent(largest(ratios)), worst);
  text += reached_in_words("as low as it gets", step_shares, time_shares, ratios.size());
  if (!tests.empty()) {
    text += fmt::format("; lowest test loss {}", in_percent(median(tests)));
    if (tests.size() > 1) text += fmt::format(", worst {} ({})", in_percent(largest(tests)), worst_test);
    text += reached_in_words("as low on test data", {}, test_times, tests.size());
  }
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

std::vector<std::pair<std::string, EvaluationReport::Other>> EvaluationReport::others_beside() const {
  std::vector<std::pair<std::string, Other>> result;
  if (tuned_.size() > 1)
    result.emplace_back(fmt::format("the best of {} that are tuned, for loss and for test loss", tuned_.size()),
                        [this](const std::string& task, std::int64_t steps, std::vector<double> Score::*losses) {
                          return best_tuned(task, steps, losses);
                        });
  result.emplace_back(baseline_, [this](const std::string& task, std::int64_t steps, std::vector<double> Score::*) {
    return baseline_of(task, steps);
  });
  return result;
}

std::set<std::int64_t> EvaluationReport::lengths() const {
  std::set<std::int64_t> lengths;
  for (const EvaluationRow& row : rows_) lengths.insert(row.steps);
  return lengths;
}

std::vector<EvaluationReport::Verdicts> EvaluationReport::all_verdicts() const {
  std::vector<Verdicts> all;
  for (const auto& [name, other] : others_beside())
    for (const std::string& optimizer : others()) {
      // The best of the tuned is one of them.
      if (name != baseline_ && tuned_.contains(optimizer)) continue;
      all.push_back({name, optimizer, {}});
      for (const std::int64_t steps : lengths())
        if (std::string sentence = verdict(optimizer, steps, other); !sentence.empty())
          all.back().sentences.push_back(std::move(sentence));
    }
  return all;
}

std::vector<std::string> EvaluationReport::verdicts() const {
  std::vector<std::string> sentences;
  for (const auto& [other, optimizer, own] : all_verdicts())
    for (const std::string& sentence : own)
      sentences.push_back(fmt::format("{} beside {}, {}", optimizer, other, sentence));
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
    const EvaluationRow *row = row_of(task, steps, name), *its = row_of(task, steps, other);
    if (!row || !its) continue;
    ratios.push_back(ratio_of_mean_losses(*row, *its));
    below += ratios.back() < 1;
  }
  if (ratios.empty()) return "";
  return fmt::format("{} ({}/{})", in_six(median(ratios)), below, ratios.size());
}

std::string EvaluationReport::text() const {
  std::string text;
  for (const auto& [task, steps] : groups()) text += table(task, steps);
  std::string beside;
  for (const auto& [other, optimizer, sentences] : all_verdicts()) {
    if (other != beside) text += fmt::format("\nBeside {}:\n", other);
    beside = other;
    text += fmt::format("  {}\n", optimizer);
    for (const std::string& sentence : sentences) text += wrapped(sentence, "    ");
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
    json["test_rate"] = score.test_rate > 0 ? Json(score.test_rate) : Json();
    json["is_beyond_usual_rates"] = score.is_beyond_usual_rates;
    json["test_curve"] = score.test_curve;
    json["mean_losses"] = json_of(score.mean_loss);
    if (const EvaluationRow* baseline = baseline_of(row.task, row.steps);
        baseline && baseline->optimizer != row.optimizer) {
      const Beside b = beside(row, *baseline);
      json["ratio"] = json_of(b.ratio);
      json["wins"] = b.wins;
      json["losses"] = b.problems - b.wins;
      json["test_ratio"] = b.test_ratio ? json_of(*b.test_ratio) : Json();
      json["to_baseline_lowest"] = reached_json(b.loss);
      json["to_baseline_lowest_test"] = reached_json(b.test);
    }
    if (const EvaluationRow* best = best_tuned(row.task, row.steps, &Score::mean_loss))
      json["ratio_to_best"] = json_of(ratio_of_mean_losses(row, *best));
    if (const EvaluationRow* best = best_tuned(row.task, row.steps, &Score::test_loss)) {
      const Beside b = beside(row, *best);
      json["test_ratio_to_best"] = b.test_ratio ? json_of(*b.test_ratio) : Json();
      json["to_best_lowest_test"] = reached_json(b.test);
    }
    results.push_back(std::move(json));
  }
  return {{"baseline", baseline_}, {"verdict", verdicts()}, {"results", results}};
}

std::string EvaluationReport::csv() const {
  std::string text =
      "task,optimizer,steps,rate,mean_loss,low,high,final_loss,test_loss,test_rate,diverged,seconds_a_step,ratio,wins,"
      "test_ratio,ratio_to_best,test_ratio_to_best\n";
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
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(row.at("task")),
                        quoted(row.at("optimizer")), cell("steps"), cell("rate"), cell("mean_loss"),
                        interval[0].is_null() ? "" : to_text(interval[0]),
                        interval[1].is_null() ? "" : to_text(interval[1]), cell("final_loss"), cell("test_loss"),
                        cell("test_rate"), cell("diverged"), cell("seconds_a_step"), cell("ratio"), cell("wins"),
                        cell("test_ratio"), cell("ratio_to_best"), cell("test_ratio_to_best"));
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
