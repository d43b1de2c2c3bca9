#include "report/estimator_report.h"

#include "report/page.h"
#include "report/text_width.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lopt {
namespace {

/// Where the axis of a figure of biases ends.
constexpr double most_bias = 2;

std::string interval_text(const Interval& x) {
  return fmt::format("{:.3g} ({:.2g} to {:.2g})", x.value, x.low, x.high);
}
std::string milliseconds(double seconds) { return fmt::format("{:.3g}", 1000 * seconds); }
Json interval_json(const Interval& x) { return {{"value", x.value}, {"low", x.low}, {"high", x.high}}; }
std::string off_after(const EstimatorMeasure& m) {
  return fmt::format("{:.3g}", EstimatorComparison::error_after(m, advised_meta_steps));
}

}  // namespace

std::vector<const EstimatorMeasure*> EstimatorReport::of_length(std::int64_t length) const {
  std::vector<const EstimatorMeasure*> result;
  for (const EstimatorMeasure& measure : comparison_.measures)
    if (measure.length == length) result.push_back(&measure);
  return result;
}

std::vector<std::string> EstimatorReport::head() {
  return {"estimator", "ms",       "bias", "noise", fmt::format("off after {:.0f}", advised_meta_steps),
          "cosine",    "estimates"};
}
std::vector<std::string> EstimatorReport::row(const EstimatorMeasure& m) {
  return {m.label,      milliseconds(m.seconds),         interval_text(m.bias),      interval_text(m.noise),
          off_after(m), fmt::format("{:.2f}", m.cosine), std::to_string(m.estimates)};
}

std::string EstimatorReport::truth_text(std::size_t index) const {
  const TrueGradient& truth = comparison_.truths[index];
  return fmt::format(
      "Problems of {} steps. The truth is {}: norm {:.4g}, known to {:.1f} %. Bias and noise are over that norm; the "
      "noise is that of as many estimates as {:.3g} ms allow, the time of a meta-step of {}.",
      truth.length, truth.how, truth.norm, 100 * truth.error, 1000 * comparison_.reference_seconds[index],
      comparison_.measures.front().label);
}

std::vector<std::string> EstimatorReport::advice() const {
  std::vector<std::string> result;
  for (const TrueGradient& truth : comparison_.truths) {
    std::vector<const EstimatorMeasure*> ranked;
    for (const EstimatorMeasure* m : of_length(truth.length))
      if (m->refused.empty() && std::isfinite(m->noise.value)) ranked.push_back(m);
    if (ranked.empty()) {
      result.push_back(fmt::format("No estimator gave finite gradients on problems of {} steps.", truth.length));
      continue;
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const EstimatorMeasure* a, const EstimatorMeasure* b) {
      return EstimatorComparison::error_after(*a, advised_meta_steps) <
             EstimatorComparison::error_after(*b, advised_meta_steps);
    });
    std::string text = fmt::format(
        "On problems of {} steps take {}: in the time of {:.0f} meta-steps it comes to within {} of the meta-gradient",
        truth.length, ranked[0]->label, advised_meta_steps, off_after(*ranked[0]));
    if (ranked.size() > 1) text += fmt::format("; next is {} ({})", ranked[1]->label, off_after(*ranked[1]));
    if (ranked[0]->bias.high > 0.3)
      text += fmt::format(". It misses {:.2g} of the gradient however long one averages", ranked[0]->bias.value);
    if (truth.error > 0.2) text += ". The truth itself is not well known: a longer --budget says more";
    result.push_back(text + ".");
  }
  return result;
}

std::string EstimatorReport::text() const {
  std::string out;
  for (std::size_t i = 0; i < comparison_.truths.size(); ++i) {
    out += truth_text(i) + "\n\n";
    std::vector<std::vector<std::string>> rows{head()};
    std::vector<std::string> refused;
    for (const EstimatorMeasure* m : of_length(comparison_.truths[i].length))
      if (m->refused.empty())
        rows.push_back(row(*m));
      else
        refused.push_back(fmt::format("  {}: {}", m->label, m->refused));
    std::vector<std::size_t> widths(rows[0].size(), 0);
    for (const auto& cells : rows)
      for (std::size_t k = 0; k < cells.size(); ++k) widths[k] = std::max(widths[k], characters_in(cells[k]));
    for (const auto& cells : rows) {
      std::string line = " ";
      for (std::size_t k = 0; k < cells.size(); ++k) line += " " + fitted(cells[k], widths[k]) + " ";
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    for (const std::string& line : refused) out += line + "\n";
    out += "\n";
  }
  for (const std::string& sentence : advice()) out += sentence + "\n";
  return out;
}

Json EstimatorReport::json() const {
  Json truths = Json::array(), measures = Json::array();
  for (std::size_t i = 0; i < comparison_.truths.size(); ++i) {
    const TrueGradient& truth = comparison_.truths[i];
    truths.push_back({{"length", truth.length},
                      {"how", truth.how},
                      {"norm", truth.norm},
                      {"error", truth.error},
                      {"reference_seconds", comparison_.reference_seconds[i]}});
  }
  for (const EstimatorMeasure& m : comparison_.measures) {
    if (!m.refused.empty()) {
      measures.push_back({{"estimator", m.label}, {"length", m.length}, {"refused", m.refused}});
      continue;
    }
    measures.push_back({{"estimator", m.label},
                        {"length", m.length},
                        {"bias", interval_json(m.bias)},
                        {"noise", interval_json(m.noise)},
                        {"cosine", m.cosine},
                        {"seconds", m.seconds},
                        {"estimates", m.estimates}});
  }
  return {{"truths", truths}, {"measures", measures}, {"advice", advice()}};
}

std::vector<Figure> EstimatorReport::figures() const {
  std::vector<std::string> labels;
  for (const EstimatorMeasure& m : comparison_.measures)
    if (m.refused.empty() && std::find(labels.begin(), labels.end(), m.label) == labels.end())
      labels.push_back(m.label);
  const bool by_length = comparison_.truths.size() > 1;
  std::vector<Figure> result;
  if (!by_length) {
    Figure both{.title = fmt::format("Estimators on problems of {} steps", comparison_.truths[0].length),
                .x = "bias, over the meta-gradient's norm",
                .y = "noise at equal cost, over the meta-gradient's norm",
                .log_y = true};
    for (const std::string& label : labels)
      for (const EstimatorMeasure& m : comparison_.measures)
        if (m.label == label && m.refused.empty())
          both.curves.push_back({label, {m.bias.value}, {m.noise.value}, {m.noise.low}, {m.noise.high}, true});
    return {both};
  }
  for (const bool noise : {false, true}) {
    Figure figure{
        .title = noise ? "Noise at equal cost, by the length of the problems" : "Bias, by the length of the problems",
        .x = "steps of a problem",
        .y = noise ? "over the meta-gradient's norm" : "over the meta-gradient's norm; more counts as 2",
        .log_x = true,
        .log_y = noise};
    for (const std::string& label : labels) {
      FigureCurve curve{.label = label, .points = true};
      for (const EstimatorMeasure& m : comparison_.measures) {
        if (m.label != label || !m.refused.empty()) continue;
        const Interval& shown = noise ? m.noise : m.bias;
        curve.x.push_back(static_cast<double>(m.length));
        // A bias that is not known to within twice the gradient would make all others flat.
        const double most = noise ? std::numeric_limits<double>::infinity() : most_bias;
        curve.y.push_back(std::min(shown.value, most));
        curve.low.push_back(std::min(shown.low, most));
        curve.high.push_back(std::min(shown.high, most));
      }
      figure.curves.push_back(std::move(curve));
    }
    result.push_back(std::move(figure));
  }
  return result;
}

std::string EstimatorReport::page(const std::string& title) const {
  Page page(title);
  page.verdict(advice());
  for (const Figure& figure : figures()) page.picture(figure_svg(figure));
  for (std::size_t i = 0; i < comparison_.truths.size(); ++i) {
    page.heading(fmt::format("Problems of {} steps", comparison_.truths[i].length));
    page.paragraph(truth_text(i));
    std::vector<std::vector<std::string>> rows;
    for (const EstimatorMeasure* m : of_length(comparison_.truths[i].length))
      rows.push_back(m->refused.empty() ? row(*m) : std::vector<std::string>{m->label, "", m->refused, "", "", "", ""});
    page.table(head(), rows);
  }
  page.paragraph(fmt::format(
      "Bias: what the mean of the estimates misses of the truth, less what noise alone would make of it. Off after "
      "{0:.0f}: "
      "√(bias² + noise² / {0:.0f}), what is left where as many meta-steps are averaged. In brackets: 95 % intervals.",
      advised_meta_steps));
  return page.html();
}

}  // namespace lopt
