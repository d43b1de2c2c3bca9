#include "report/lineage.h"

#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <vector>

namespace lopt {
namespace {

constexpr double row_height = 26, row_width = 640, left_margin = 90, top_margin = 56;

/// The first setting's value as a number; NaN where it is none.
double first_value(const Json& settings) {
  if (settings.empty()) return std::nan("");
  const std::string text = settings.at(0).at(1).get<std::string>();
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() ? value : std::nan("");
}

/// From one change of a member's settings to the next.
struct Stretch {
  int member;
  double from, to;  // steps
  double value;
  std::string words;
};

std::string words_of(const Json& settings) {
  std::string text;
  for (const Json& one : settings)
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", one.at(0).get<std::string>(), one.at(1).get<std::string>());
  return text;
}

}  // namespace

std::string lineage_svg(const Json& population) {
  const int members = population.at("members").get<int>(), best = population.at("best").get<int>();
  const double steps = std::max(1, population.at("steps").get<int>());
  std::vector<Stretch> stretches;
  for (int member = 0; member < members; ++member) {
    const Json& settings = population.at("settings").at(static_cast<std::size_t>(member));
    stretches.push_back({member, 0, steps, first_value(settings), words_of(settings)});
    for (const Json& descent : population.at("lineage")) {
      if (descent.at("member").get<int>() != member) continue;
      const double at = descent.at("step").get<int>();
      stretches.back().to = at;
      stretches.push_back({member, at, steps, first_value(descent.at("settings")), words_of(descent.at("settings"))});
    }
  }
  double low = INFINITY, high = -INFINITY;
  for (const Stretch& stretch : stretches)
    if (stretch.value > 0) low = std::min(low, std::log(stretch.value)), high = std::max(high, std::log(stretch.value));
  const auto colour = [&](double value) {
    if (!(value > 0)) return std::string("#8899aa");
    const double share = high > low ? (std::log(value) - low) / (high - low) : 0.5;
    return fmt::format("hsl({:.0f} 65% 48%)", 220 - 190 * share);
  };
  const auto x = [&](double step) { return left_margin + row_width * step / steps; };
  const auto y = [&](int member) { return top_margin + row_height * (member + 0.5); };

  const Json& settings = population.at("settings").at(0);
  const std::string title =
      "Who went on from whom" + (settings.empty() ? "" : ", by " + settings.at(0).at(0).get<std::string>());
  const double height = top_margin + row_height * members + 50;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {0:.0f}\" width=\"900\" height=\"{0:.0f}\" "
      "font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"900\" height=\"{0:.0f}\" "
      "fill=\"#ffffff\"/>\n<text x=\"{1}\" y=\"28\" font-size=\"16\" font-weight=\"600\">{2}</text>\n",
      height, left_margin, html_escaped(title));
  for (const Stretch& s : stretches)
    svg += fmt::format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"9\"><title>{}</title></line>\n",
        x(s.from), x(s.to), y(s.member), y(s.member), colour(s.value), html_escaped(s.words));
  for (const Json& descent : population.at("lineage"))
    svg += fmt::format(
        "<path d=\"M{0:.1f} {1:.1f} L{0:.1f} {2:.1f}\" stroke=\"#555\" stroke-opacity=\"0.6\" "
        "fill=\"none\"/><circle cx=\"{0:.1f}\" cy=\"{2:.1f}\" r=\"4\" fill=\"#ffffff\" "
        "stroke=\"#333\"/>\n",
        x(descent.at("step").get<int>()), y(descent.at("parent").get<int>()), y(descent.at("member").get<int>()));
  // Back from the best one: the last time that its row was begun, from whom, and so on.
  std::string path;
  int row = best;
  double until = steps;
  for (bool more = true; more;) {
    const Json* begun = nullptr;
    for (const Json& descent : population.at("lineage"))
      if (descent.at("member").get<int>() == row && descent.at("step").get<int>() < until) begun = &descent;
    const double from = begun ? begun->at("step").get<int>() : 0;
    path += fmt::format("{}{:.1f} {:.1f} L{:.1f} {:.1f}", path.empty() ? "M" : " L", x(until), y(row), x(from), y(row));
    more = begun != nullptr;
    if (more) row = begun->at("parent").get<int>(), until = from;
  }
  svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#000\" stroke-width=\"2.5\"/>\n", path);
  for (int member = 0; member < members; ++member)
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\"{}>member {}</text>\n", left_margin - 10,
                       y(member) + 4, member == best ? " font-weight=\"700\"" : "", member);
  for (int k = 0; k <= 4; ++k)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f}</text>\n", x(steps * k / 4),
                       top_margin + row_height * members + 20, steps * k / 4);
  svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"middle\">meta-step</text>\n",
                     left_margin + row_width / 2, height - 8);
  if (!settings.empty() && high >= low)
    for (const auto& [row, value] : {std::pair(0, low), std::pair(1, high)})
      svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">■ {:.3g}</text>\n", left_margin + row_width + 16,
                         top_margin + 14 + 20 * row, colour(std::exp(value)), std::exp(value));
  return svg + "</svg>\n";
}

}  // namespace lopt
