#include "report/curves.h"

#include "report/axis.h"
#include "report/page.h"
#include "report/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace lopt {
namespace {

constexpr double width = 900, height = 480, left = 76, right = 250, top = 48, bottom = 60;
/// low and high are of what is drawn: of values, or of their logarithms.
struct Frame {
  double low, high, steps;
  bool log = false;
  double x(double step) const { return left + (width - left - right) * step / std::max(steps, 1.0); }
  double scaled(double value) const { return log ? std::log10(std::max(value, 1e-30)) : value; }
  double y(double value) const { return top + (height - top - bottom) * (high - scaled(value)) / (high - low); }
};

/// The step at which a curve has diverged: not finite, or above twice the highest first value.
std::optional<std::size_t> diverged_at(const std::vector<float>& values, double limit) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]) || static_cast<double>(values[i]) > limit) return i;
  return std::nullopt;
}

std::vector<double> ticks_of(const Frame& frame) {
  std::vector<double> ticks;
  if (frame.log) {
    const double step = std::max(1.0, std::ceil((frame.high - frame.low) / 6));
    for (double e = std::ceil(frame.low); e <= frame.high + 1e-9; e += step) ticks.push_back(std::pow(10, e));
    if (ticks.size() < 2) ticks = {std::pow(10, frame.low), std::pow(10, frame.high)};
    return ticks;
  }
  const double step = tick_step(frame.low, frame.high, 6);
  for (double v = std::ceil(frame.low / step) * step; v <= frame.high + step * 1e-9; v += step)
    ticks.push_back(std::abs(v) < step * 1e-6 ? 0.0 : v);
  return ticks;
}

std::string axes(const Frame& frame, const std::string& x_label, const std::string& y_label) {
  std::string svg;
  const double x_step = std::max(1.0, tick_step(0, std::max(frame.steps, 1.0), 8));
  for (const double v : ticks_of(frame))
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#e4e4e4\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5:.3g}</text>\n",
        left, width - right, frame.y(v), left - 8, frame.y(v) + 4, v);
  for (double s = 0; s <= frame.steps + 1e-9; s += x_step)
    svg += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#444\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4:.6g}</text>\n",
        frame.x(s), height - bottom, height - bottom + 5, height - bottom + 20, s);
  svg += fmt::format("<path d=\"M{0} {1} V{2} H{3}\" fill=\"none\" stroke=\"#444\"/>\n", left, top, height - bottom,
                     width - right);
  svg += fmt::format("<text x=\"{:.0f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (left + width - right) / 2,
                     height - 18, html_escaped(x_label));
  svg += fmt::format("<text transform=\"translate(20 {:.0f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                     (top + height - bottom) / 2, html_escaped(y_label));
  return svg;
}

/// Above this, a curve counts as diverged: twice the highest first value.
double limit_of(const std::vector<Curve>& curves) {
  std::optional<double> first;
  for (const Curve& curve : curves)
    if (!curve.values.empty() && std::isfinite(curve.values[0]))
      first = std::max(first.value_or(-INFINITY), static_cast<double>(curve.values[0]));
  return first ? std::max(2 * *first, *first + 1) : 1;
}

Frame frame_of(const std::vector<Curve>& curves, double limit, bool log) {
  Frame frame{limit, -limit, 0};
  double least = INFINITY, most = -INFINITY;
  for (const Curve& curve : curves) {
    frame.steps = std::max(frame.steps, curve.values.empty() ? 0 : curve.step(curve.values.size() - 1));
    const std::size_t end = diverged_at(curve.values, limit).value_or(curve.values.size());
    for (const std::vector<float>* values : {&curve.values, &curve.low, &curve.high})
      for (std::size_t i = 0; i < std::min(end, values->size()); ++i) {
        const auto v = static_cast<double>((*values)[i]);
        if (!std::isfinite(v) || v > limit) continue;
        least = std::min(least, v);
        most = std::max(most, v);
      }
    if (end < curve.values.size()) most = std::max(most, limit);
  }
  if (!(least <= most)) return {0, 1, frame.steps};
  frame.log = log && least > 0;
  frame.low = frame.scaled(least);
  frame.high = frame.scaled(most);
  const double margin = std::max((frame.high - frame.low) * 0.04, 1e-6 * std::max(1.0, std::abs(frame.high)));
  frame.low -= margin;
  frame.high += margin;
  return frame;
}

/// "x,y x,y …" of the first `count` values; of more than a picture has room for, means of neighbours.
std::string points_of(const Frame& frame, const Curve& curve, const std::vector<float>& values, std::size_t count,
                      bool backwards = false) {
  constexpr std::size_t most_points = 1200;
  const std::size_t group = (count + most_points - 1) / most_points;
  std::vector<std::string> points;
  for (std::size_t begin = 0; begin < count; begin += group) {
    const std::size_t end = std::min(count, begin + group);
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += static_cast<double>(values[i]);
    const double x = (curve.step(begin) + curve.step(end - 1)) / 2, mean = sum / static_cast<double>(end - begin);
    points.push_back(fmt::format("{:.1f},{:.1f} ", frame.x(x), std::clamp(frame.y(mean), top - 4, height - bottom)));
  }
  if (backwards) std::reverse(points.begin(), points.end());
  std::string text;
  for (const std::string& point : points) text += point;
  return text;
}

std::string drawn(const Frame& frame, const Curve& curve, double limit, const char* colour, double legend_y) {
  std::string svg, label = curve.label;
  const std::optional<std::size_t> diverged = diverged_at(curve.values, limit);
  const std::size_t count = diverged.value_or(curve.values.size());
  if (curve.low.size() == curve.values.size() && count > 0)
    svg += fmt::format("<polygon points=\"{}{}\" fill=\"{}\" opacity=\"0.15\"/>\n",
                       points_of(frame, curve, curve.high, count), points_of(frame, curve, curve.low, count, true),
                       colour);
  std::string points = points_of(frame, curve, curve.values, count);
  if (diverged) {
    const double x = frame.x(curve.step(*diverged)), y = top + 12;
    points += fmt::format("{:.1f},{:.1f}", x, y);
    svg += fmt::format("<path d=\"M{0:.1f} {1:.1f} l10 10 m0 -10 l-10 10\" stroke=\"{2}\" stroke-width=\"2.5\"/>\n",
                       x - 5, y - 5, colour);
    label += fmt::format(" (diverged, step {})", curve.step(*diverged));
  }
  const bool smooth = !diverged && count >= least_to_smooth;
  const auto line = [&](const std::string& of, double stroke, double opacity) {
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" opacity=\"{}\"/>\n", of,
                       colour, stroke, opacity);
  };
  svg += smooth ? line(points, 1, 0.3) + line(points_of(frame, curve, smoothed(curve.values), count), 2, 1)
                : line(points, 1.5, 1);
  return svg + fmt::format(
                   "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"2.5\"/><text "
                   "x=\"{4}\" y=\"{5}\">{6}</text>\n",
                   width - right + 12, width - right + 34, legend_y, colour, width - right + 40, legend_y + 4,
                   html_escaped(label));
}

}  // namespace

std::string curves_svg(const std::string& title, const std::string& x_label, const std::string& y_label,
                       const std::vector<Curve>& curves, bool log) {
  const double limit = limit_of(curves);
  const Frame frame = frame_of(curves, limit, log);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"DejaVu Sans, sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{2}\" y=\"28\" font-size=\"16\">{3}</text>\n",
      width, height, left, html_escaped(title));
  svg += axes(frame, x_label, y_label);
  for (std::size_t c = 0; c < curves.size(); ++c)
    svg += drawn(frame, curves[c], limit, curve_colours[c % std::size(curve_colours)],
                 top + 10 + 18 * static_cast<double>(c));
  return svg + "</svg>\n";
}

}  // namespace lopt
