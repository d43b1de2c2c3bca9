#include "report/lineage.h"

#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
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

class LineageDrawing {
 public:
  explicit LineageDrawing(const Json& population)
      : lineage_(population.at("lineage")),
        members_(population.at("members").get<int>()),
        best_(population.at("best").get<int>()),
        steps_(std::max(1, population.at("steps").get<int>())) {
    const Json& settings = population.at("settings");
    if (!settings.at(0).empty()) varied_ = settings.at(0).at(0).at(0).get<std::string>();
    for (int member = 0; member < members_; ++member)
      add_stretches(member, settings.at(static_cast<std::size_t>(member)));
    for (const Stretch& stretch : stretches_)
      if (stretch.value > 0) {
        low_ = std::min(low_, std::log(stretch.value));
        high_ = std::max(high_, std::log(stretch.value));
      }
  }

  std::string svg() const {
    const double height = bottom() + 50;
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {0:.0f}\" width=\"900\" "
               "height=\"{0:.0f}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"900\" "
               "height=\"{0:.0f}\" fill=\"#ffffff\"/>\n<text x=\"{1}\" y=\"28\" font-size=\"16\" "
               "font-weight=\"600\">Who went on from whom{2}</text>\n",
               height, left_margin, varied_.empty() ? "" : ", by " + html_escaped(varied_)) +
           rows() + descents() + ancestors_of_the_best() + labels() + "</svg>\n";
  }

 private:
  void add_stretches(int member, const Json& settings) {
    stretches_.push_back({member, 0, steps_, first_value(settings), words_of(settings)});
    for (const Json& descent : lineage_) {
      if (descent.at("member").get<int>() != member) continue;
      const double at = descent.at("step").get<int>();
      stretches_.back().to = at;
      const Json& from_now = descent.at("settings");
      stretches_.push_back({member, at, steps_, first_value(from_now), words_of(from_now)});
    }
  }

  double x(double step) const { return left_margin + row_width * step / steps_; }
  static double y(int member) { return top_margin + row_height * (member + 0.5); }
  double bottom() const { return top_margin + row_height * members_; }
  std::string colour(double value) const {
    if (!(value > 0)) return "#8899aa";
    const double share = high_ > low_ ? (std::log(value) - low_) / (high_ - low_) : 0.5;
    return fmt::format("hsl({:.0f} 65% 48%)", 220 - 190 * share);
  }

  std::string rows() const {
    std::string svg;
    for (const Stretch& s : stretches_)
      svg += fmt::format(
          "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
          "stroke-width=\"9\"><title>{}</title></line>\n",
          x(s.from), x(s.to), y(s.member), y(s.member), colour(s.value), html_escaped(s.words));
    return svg;
  }
  std::string descents() const {
    std::string svg;
    for (const Json& descent : lineage_)
      svg += fmt::format(
          "<path d=\"M{0:.1f} {1:.1f} L{0:.1f} {2:.1f}\" stroke=\"#555\" stroke-opacity=\"0.6\" "
          "fill=\"none\"/><circle cx=\"{0:.1f}\" cy=\"{2:.1f}\" r=\"4\" fill=\"#ffffff\" "
          "stroke=\"#333\"/>\n",
          x(descent.at("step").get<int>()), y(descent.at("parent").get<int>()), y(descent.at("member").get<int>()));
    return svg;
  }
  /// Back from the best one: when its row was last begun, from whom, and so on.
  std::string ancestors_of_the_best() const {
    std::string path;
    int row = best_;
    double until = steps_;
    for (bool more = true; more;) {
      const Json* begun = nullptr;
      for (const Json& descent : lineage_)
        if (descent.at("member").get<int>() == row && descent.at("step").get<int>() < until) begun = &descent;
      const double from = begun ? begun->at("step").get<int>() : 0;
      path +=
          fmt::format("{}{:.1f} {:.1f} L{:.1f} {:.1f}", path.empty() ? "M" : " L", x(until), y(row), x(from), y(row));
      more = begun != nullptr;
      if (more) row = begun->at("parent").get<int>(), until = from;
    }
    return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#000\" stroke-width=\"2.5\"/>\n", path);
  }
  std::string labels() const {
    std::string svg;
    for (int member = 0; member < members_; ++member)
      svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\"{}>member {}</text>\n", left_margin - 10,
                         y(member) + 4, member == best_ ? " font-weight=\"700\"" : "", member);
    for (int k = 0; k <= 4; ++k)
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f}</text>\n", x(steps_ * k / 4),
                         bottom() + 20, steps_ * k / 4);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"middle\">meta-step</text>\n",
                       left_margin + row_width / 2, bottom() + 42);
    if (!varied_.empty() && high_ >= low_)
      for (const auto& [row, value] : {std::pair(0, low_), std::pair(1, high_)})
        svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">■ {:.3g}</text>\n", left_margin + row_width + 16,
                           top_margin + 14 + 20 * row, colour(std::exp(value)), std::exp(value));
    return svg;
  }

  const Json& lineage_;
  int members_, best_;
  double steps_;
  std::string varied_;  // the setting that shades show
  std::vector<Stretch> stretches_;
  double low_ = std::numeric_limits<double>::infinity(), high_ = -low_;  // logarithms
};

}  // namespace

std::string lineage_svg(const Json& population) { return LineageDrawing(population).svg(); }

}  // namespace lopt
