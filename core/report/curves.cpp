#include "report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace lopt {
namespace {

constexpr double width = 900, height = 480, left = 76, right = 250, top = 48, bottom = 60;
constexpr const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e",
                                   "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"};

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text)
    result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return result;
}

/// 1, 2 or 5 times a power of ten: about `count` of them between low and high.
double tick_step(double low, double high, int count) {
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw))), ratio = raw / power;
  return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

struct Frame {
  double low, high, steps;
  double x(double step) const { return left + (width - left - right) * step / std::max(steps, 1.0); }
  double y(double value) const { return top + (height - top - bottom) * (high - value) / (high - low); }
};

/// The step at which a curve has diverged: not finite, or above twice the highest first value.
std::optional<std::size_t> diverged_at(const std::vector<float>& values, double limit) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]) || static_cast<double>(values[i]) > limit) return i;
  return std::nullopt;
}

std::string axes(const Frame& frame, const std::string& x_label, const std::string& y_label) {
  std::string svg;
  const double y_step = tick_step(frame.low, frame.high, 6),
               x_step = std::max(1.0, tick_step(0, std::max(frame.steps, 1.0), 8));
  for (double v = std::ceil(frame.low / y_step) * y_step; v <= frame.high + y_step * 1e-9; v += y_step)
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#e4e4e4\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5:.6g}</text>\n",
        left, width - right, frame.y(v), left - 8, frame.y(v) + 4, std::abs(v) < y_step * 1e-6 ? 0.0 : v);
  for (double s = 0; s <= frame.steps + 1e-9; s += x_step)
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#444\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4:.6g}</text>\n",
        frame.x(s), height - bottom, height - bottom + 5, height - bottom + 20, s);
  svg += fmt::format("<path d=\"M{0} {1} V{2} H{3}\" fill=\"none\" stroke=\"#444\"/>\n", left, top, height - bottom,
                     width - right);
  svg += fmt::format("<text x=\"{:.0f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (left + width - right) / 2,
                     height - 18, escaped(x_label));
  svg += fmt::format("<text transform=\"translate(20 {:.0f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                     (top + height - bottom) / 2, escaped(y_label));
  return svg;
}

}  // namespace

std::string curves_svg(const std::string& title, const std::string& x_label, const std::string& y_label,
                       const std::vector<Curve>& curves) {
  double first = 0;
  bool any = false;
  for (const Curve& curve : curves)
    if (!curve.values.empty() && std::isfinite(curve.values[0])) {
      first = any ? std::max(first, static_cast<double>(curve.values[0])) : static_cast<double>(curve.values[0]);
      any = true;
    }
  const double limit = any ? std::max(2 * first, first + 1) : 1;
  Frame frame{limit, -limit, 0};
  bool drawn = false;
  for (const Curve& curve : curves) {
    frame.steps = std::max(frame.steps, curve.values.empty() ? 0 : curve.step(curve.values.size() - 1));
    const std::size_t end = diverged_at(curve.values, limit).value_or(curve.values.size());
    for (std::size_t i = 0; i < end; ++i) {
      const auto v = static_cast<double>(curve.values[i]);
      frame.low = drawn ? std::min(frame.low, v) : v;
      frame.high = drawn ? std::max(frame.high, v) : v;
      drawn = true;
    }
    if (end < curve.values.size()) frame.high = std::max(frame.high, limit);
  }
  if (!drawn) frame = {0, 1, frame.steps};
  const double margin = std::max((frame.high - frame.low) * 0.04, 1e-6 * std::max(1.0, std::abs(frame.high)));
  frame.low -= margin;
  frame.high += margin;

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"DejaVu Sans, sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{2}\" y=\"28\" font-size=\"16\">{3}</text>\n",
      width, height, left, escaped(title));
  svg += axes(frame, x_label, y_label);
  for (std::size_t c = 0; c < curves.size(); ++c) {
    const std::vector<float>& values = curves[c].values;
    const char* colour = colours[c % std::size(colours)];
    const std::optional<std::size_t> diverged = diverged_at(values, limit);
    std::string points;
    for (std::size_t i = 0; i < diverged.value_or(values.size()); ++i)
      points += fmt::format("{:.1f},{:.1f} ", frame.x(curves[c].step(i)), frame.y(static_cast<double>(values[i])));
    std::string label = curves[c].label;
    if (diverged) {
      const double x = frame.x(curves[c].step(*diverged)), y = frame.y(frame.high - margin);
      points += fmt::format("{:.1f},{:.1f}", x, y);
      svg += fmt::format("<path d=\"M{0:.1f} {1:.1f} l10 10 m0 -10 l-10 10\" stroke=\"{2}\" stroke-width=\"2.5\"/>\n",
                         x - 5, y - 5, colour);
      label += fmt::format(" (diverged, step {})", curves[c].step(*diverged));
    }
    const double y = top + 10 + 18 * static_cast<double>(c);
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n", points, colour);
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"2.5\"/><text x=\"{4}\" "
        "y=\"{5}\">{6}</text>\n",
        width - right + 12, width - right + 34, y, colour, width - right + 40, y + 4, escaped(label));
  }
  return svg + "</svg>\n";
}

}  // namespace lopt
