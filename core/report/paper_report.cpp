#include "report/paper_report.h"

#include "report/page.h"
#include "report/series.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

namespace lopt {

PaperSeries read_series(const std::string& folder) {
  PaperSeries series;
  std::ifstream lines(folder + "/metrics.jsonl");
  double seconds = 0;
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    const Json json = parse_json(line);
    if (!json.is_object() || !json.contains("meta_loss")) continue;
    const auto number = [](const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); };
    series.seconds.push_back(seconds += json.value("seconds", 0.0));
    series.values["meta_loss"].push_back(number(json["meta_loss"]));
    if (!json.contains("theta")) continue;
    for (const auto& [name, value] : json["theta"].items()) series.values["theta." + name].push_back(number(value));
    if (json["theta"].size() == 1) series.values["theta"].push_back(number(json["theta"].front()));
  }
  return series;
}

std::map<std::string, double> last_numbers(const PaperSeries& series) {
  std::map<std::string, double> result;
  if (!series.seconds.empty()) result["seconds"] = series.seconds.back();
  for (const auto& [name, values] : series.values) {
    const std::size_t count = std::max<std::size_t>(1, values.size() / 10);
    double total = 0;
    for (std::size_t i = values.size() - count; i < values.size(); ++i) total += values[i];
    result[name] = total / static_cast<double>(count);
  }
  return result;
}

FigureCurve curve_of(const PaperSeries& series, const std::string& label, const std::string& what,
                     const std::string& by) {
  FigureCurve curve{.label = label};
  const auto found = series.values.find(what);
  if (found == series.values.end()) return curve;
  std::vector<float> values(found->second.begin(), found->second.end());
  if (what == "meta_loss" && values.size() >= least_to_smooth) values = smoothed(values);
  const std::size_t every = std::max<std::size_t>(1, values.size() / 400);
  for (std::size_t i = 0; i < values.size(); i += every) {
    curve.x.push_back(by == "seconds" ? series.seconds[i] : static_cast<double>(i + 1));
    curve.y.push_back(static_cast<double>(values[i]));
  }
  return curve;
}

const double* PaperReport::find(const std::string& label, const std::string& what) const {
  const auto of_label = numbers_.find(label);
  if (of_label == numbers_.end()) return nullptr;
  const auto number = of_label->second.find(what);
  return number == of_label->second.end() ? nullptr : &number->second;
}

std::vector<PaperReport::Checked> PaperReport::checked() const {
  std::vector<Checked> result;
  for (const PaperClaim& claim : spec_.holds) {
    std::vector<std::string> texts;
    bool all = true;
    for (const std::string& label : claim.of) {
      const double* number = find(label, claim.what);
      texts.push_back(number ? fmt::format("{} {:.4g}", label, *number) : label + " is not known");
      const auto beside = [&](const std::string& other) {
        const double* of_other = find(other, claim.what);
        return of_other ? *of_other * claim.times : std::nan("");
      };
      all = all && number && (!claim.at_least || *number >= *claim.at_least) &&
            (!claim.at_most || *number <= *claim.at_most) && (claim.below.empty() || *number < beside(claim.below)) &&
            (claim.above.empty() || *number > beside(claim.above));
    }
    std::string wanted;
    if (claim.at_least) wanted += fmt::format(" at least {:.4g}", *claim.at_least);
    if (claim.at_most) wanted += fmt::format("{} at most {:.4g}", claim.at_least ? " and" : "", *claim.at_most);
    for (const auto& [side, other] : {std::pair("below", claim.below), std::pair("above", claim.above)}) {
      if (other.empty()) continue;
      wanted += fmt::format(" {} ", side);
      if (claim.times != 1) wanted += fmt::format("{:.4g} times ", claim.times);
      const double* number = find(other, claim.what);
      wanted += number ? fmt::format("{}'s {:.4g}", other, *number) : other + "'s, which is not known";
    }
    result.push_back({fmt::format("{}{}: {}", claim.what, wanted, fmt::join(texts, ", ")), all});
  }
  return result;
}

bool PaperReport::holds() const {
  const std::vector<Checked> all = checked();
  return std::all_of(all.begin(), all.end(), [](const Checked& one) { return one.holds; });
}

std::string PaperReport::sentence() const {
  if (holds()) return fmt::format("The paper's claim holds here: {}", spec_.claim);
  std::vector<std::string> failed;
  for (const Checked& one : checked())
    if (!one.holds) failed.push_back(one.words);
  return fmt::format("The paper's claim does not hold here: {} Not so is {}.", spec_.claim,
                     fmt::join(failed, "; and "));
}

std::string PaperReport::text() const {
  std::string out = spec_.paper + "\n\n";
  for (const Checked& one : checked()) out += fmt::format("  {} {}\n", one.holds ? "yes" : "no ", one.words);
  for (const std::string& remark : remarks_) out += "  " + remark + "\n";
  return out + "\n" + sentence() + "\n";
}

Json PaperReport::json() const {
  Json all = Json::array(), numbers = Json::object();
  for (const Checked& one : checked()) all.push_back({{"what", one.words}, {"holds", one.holds}});
  for (const auto& [label, of_label] : numbers_)
    for (const auto& [name, number] : of_label) numbers[label][name] = std::isfinite(number) ? Json(number) : Json();
  return {{"paper", spec_.paper}, {"claim", spec_.claim}, {"holds", holds()},   {"sentence", sentence()},
          {"checked", all},       {"numbers", numbers},   {"remarks", remarks_}};
}

std::string PaperReport::page() const {
  Page page(spec_.name);
  page.verdict({sentence()});
  page.paragraph(spec_.paper);
  for (const Figure& figure : figures_) page.picture(figure_svg(figure));
  std::vector<std::vector<std::string>> rows;
  for (const Checked& one : checked()) rows.push_back({one.holds ? "holds" : "does not hold", one.words});
  page.heading("What was looked at");
  page.table({"", ""}, rows);
  for (const std::string& remark : remarks_) page.paragraph(remark);
  std::set<std::string> names;
  for (const auto& [label, of_label] : numbers_)
    for (const auto& [name, number] : of_label) names.insert(name);
  std::vector<std::string> head{""};
  head.insert(head.end(), names.begin(), names.end());
  rows.clear();
  for (const auto& [label, of_label] : numbers_) {
    rows.push_back({label});
    for (const std::string& name : names) {
      const double* number = find(label, name);
      rows.back().push_back(number ? fmt::format("{:.4g}", *number) : "");
    }
  }
  page.heading("Numbers");
  page.paragraph("Of runs: means over the last tenth of their meta-steps.");
  page.table(head, rows);
  return page.html();
}

}  // namespace lopt
