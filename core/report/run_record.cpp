#include "report/run_record.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lopt {
namespace {

double as_number(const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }

/// "loss", or where there are several runs "loss_3".
bool is_loss(const std::string& key) { return key == "loss" || key.starts_with("loss_"); }

}  // namespace

Json chart(const std::string& title, const std::string& x, const std::string& y, Json curves, bool log,
           const std::string& note) {
  Json result{{"title", title}, {"x", x}, {"y", y}, {"log", log}, {"curves", std::move(curves)}};
  if (!note.empty()) result["note"] = note;
  return result;
}

Json spread_curve(const std::string& label, const std::vector<std::vector<float>>& losses) {
  constexpr std::size_t most_points = 400;
  const std::size_t steps = losses.front().size(), width = (steps + most_points - 1) / most_points;
  Json x = Json::array(), y = Json::array(), low = Json::array(), high = Json::array();
  std::vector<float> means;
  for (std::size_t begin = 0; begin < steps; begin += width) {
    const std::size_t count = std::min(width, steps - begin);
    std::vector<double> of_runs;
    for (const std::vector<float>& run : losses) {
      const auto part = std::span(run).subspan(begin, count);
      of_runs.push_back(std::accumulate(part.begin(), part.end(), 0.0) / static_cast<double>(count));
    }
    x.push_back(begin);
    means.push_back(
        static_cast<float>(std::accumulate(of_runs.begin(), of_runs.end(), 0.0) / static_cast<double>(of_runs.size())));
    low.push_back(short_number(*std::min_element(of_runs.begin(), of_runs.end())));
    high.push_back(short_number(*std::max_element(of_runs.begin(), of_runs.end())));
  }
  Json curve{{"label", label}, {"x", std::move(x)}, {"y", short_numbers(means)}};
  if (losses.size() > 1) {
    curve["low"] = std::move(low);
    curve["high"] = std::move(high);
  }
  if (means.size() >= least_to_smooth) curve["smooth"] = short_numbers(smoothed(means));
  return curve;
}

Series& RunRecord::of(ByName& series, const std::string& name, std::size_t most_parts) {
  for (auto& [known, values] : series)
    if (known == name) return values;
  return series.emplace_back(name, Series(most_parts)).second;
}

void RunRecord::add(const Json& line) {
  if (!line.is_object() || !line.contains("step")) return;
  empty_ = false;
  const double step = as_number(line["step"]);
  if (line.contains("meta_loss"))
    add_meta(step, line);
  else
    add_inner(step, line);
}

void RunRecord::add_meta(double step, const Json& line) {
  constexpr std::size_t parts_of_a_member = 120;
  is_meta_ = true;
  loss_.add(step, as_number(line["meta_loss"]));
  const auto add_to = [&](Series& series, const char* key) {
    if (line.contains(key)) series.add(step, line[key].is_boolean() ? line[key].get<bool>() : as_number(line[key]));
  };
  add_to(gradient_norm_, "gradient_norm");
  add_to(seconds_, "seconds");
  add_to(diverged_, "inner_diverged");
  add_to(skipped_, "skipped");
  if (line.contains("validation")) of(validation_, "validation").add(step, as_number(line["validation"]));
  if (line.contains("validation_of_average"))
    of(validation_, "of averaged θ").add(step, as_number(line["validation_of_average"]));
  if (line.contains("validation_losses"))
    for (const auto& [task, loss] : line["validation_losses"].items()) of(validation_, task).add(step, as_number(loss));
  if (line.contains("population"))
    for (const auto& [member, loss] : line["population"].items())
      of(population_, "member " + member, parts_of_a_member).add(step, as_number(loss));
  if (line.contains("theta"))
    for (const auto& [weight, value] : line["theta"].items()) of(theta_, weight).add(step, as_number(value));
  if (line.contains("member_losses"))
    for (const auto& [member, loss] : line["member_losses"].items())
      of(members_, member, parts_of_a_member).add(step, as_number(loss));
}

void RunRecord::add_inner(double step, const Json& line) {
  for (const auto& [key, value] : line.items()) {
    if (key == "step") continue;
    of(is_loss(key) ? losses_ : measured_, key).add(step, as_number(value));
  }
}

Json RunRecord::curves(const ByName& series, std::size_t shown) {
  Json result = Json::array();
  for (const auto& [name, values] : series) {
    result.push_back(values.curve(name));
    if (result.size() > shown) result.back()["hidden"] = true;
  }
  return result;
}

Json RunRecord::main_curve(const std::string& label) const {
  if (is_meta_ || losses_.empty()) return loss_.curve(label);
  return losses_.front().second.curve(label);
}

Json RunRecord::main_chart(const Json& summary) const {
  if (!is_meta_) {
    Json curves_of_runs = curves(losses_, 10);
    for (std::size_t i = 0; i < curves_of_runs.size(); ++i)
      if (summary.contains("runs") && i < summary["runs"].size())
        curves_of_runs[i]["label"] = summary["runs"][i].value("run", losses_[i].first);
    Json result = chart("Training loss", "inner step", "training loss", std::move(curves_of_runs));
    result["falls"] = true;
    return result;
  }
  Json curve = loss_.curve("meta-loss");
  Json result = chart("Meta-loss", "meta-step", "meta-loss", Json::array({curve}), false,
                      "Faint: each meta-step, or where they are many the least and largest of neighbours. Bold: their "
                      "running mean.");
  result["falls"] = true;
  const int best = summary.is_object() ? summary.value("best_step", 0) : 0;
  const Json& bold = curve.contains("smooth") ? curve["smooth"] : curve["y"];
  for (std::size_t i = 0; best > 0 && i < bold.size(); ++i) {
    const bool is_it = i + 1 == bold.size() || curve["x"][i + 1].get<double>() > best - 1;
    if (!is_it) continue;
    if (!bold[i].is_null()) result["marks"] = Json::array({{{"x", best - 1}, {"y", bold[i]}, {"label", "best"}}});
    break;
  }
  return result;
}

namespace {
/// "test_loss_2" is the test loss of run 2: "test loss".
std::string quantity_of(std::string name) {
  const std::size_t digits = name.find_last_not_of("0123456789");
  if (digits != std::string::npos && name[digits] == '_' && digits + 1 < name.size()) name.resize(digits);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}
}  // namespace

Json RunRecord::other_charts() const {
  Json result = Json::array();
  if (!is_meta_) {
    // A chart for each quantity, of all runs: they have units of their own.
    std::vector<std::pair<std::string, ByName>> quantities;
    for (const auto& [name, series] : measured_) {
      const std::string of = quantity_of(name);
      auto known = std::find_if(quantities.begin(), quantities.end(), [&](const auto& one) { return one.first == of; });
      if (known == quantities.end()) known = quantities.insert(known, {of, {}});
      known->second.emplace_back(name, series);
    }
    for (const auto& [name, all] : quantities)
      result.push_back(chart("Measured on the way: " + name, "inner step", name, curves(all, 10)));
    return result;
  }
  if (!validation_.empty())
    result.push_back(
        chart("Validation", "meta-step", "mean loss", curves(validation_, 2), false,
              "On tasks that are not trained on: the score, and each task's loss, which the buttons show."));
  if (!population_.empty())
    result.push_back(chart("Members of the population", "meta-step", "meta-loss", curves(population_, 8), false,
                           "Of a member that goes on from another one, the curve goes on with it."));
  if (!theta_.empty()) result.push_back(chart("θ", "meta-step", "weight", curves(theta_, 8)));
  if (!members_.empty())
    result.push_back(chart("Members of the family", "meta-step", "mean loss", curves(members_, 6), true,
                           "By number, as `lopt-run sample` has them; the buttons show more."));
  if (!gradient_norm_.empty())
    result.push_back(chart("Norm of the meta-gradient, before clipping", "meta-step", "norm",
                           Json::array({gradient_norm_.curve("norm")}), true));
  if (diverged_.largest() > 0 || skipped_.largest() > 0)
    result.push_back(chart("What went wrong", "meta-step", "share or number",
                           Json::array({diverged_.curve("inner problems that diverged"),
                                        skipped_.curve("steps skipped: the gradient was not finite")})));
  if (!seconds_.empty())
    result.push_back(chart("Time of a meta-step", "meta-step", "seconds", Json::array({seconds_.curve("seconds")})));
  return result;
}

}  // namespace lopt
