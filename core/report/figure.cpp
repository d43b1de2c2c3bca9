#include "report/figure.h"

#include "report/axis.h"
#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lopt {
namespace {

// Pixels: of the whole, and of the margins.
constexpr double whole_width = 900, whole_height = 500, margin_left = 84, margin_right = 230, margin_top = 48,
                 margin_bottom = 62;
/// One axis: values to pixels, and where its ticks are.
struct Axis {
  double low = std::numeric_limits<double>::infinity(), high = -low;  // of values, or of their logarithms
  double from = 0, to = 1;                                            // pixels
  bool log = false;

  bool shows(double value) const { return std::isfinite(value) && (!log || value > 0); }
  double scaled(double value) const { return log ? std::log10(value) : value; }
  double pixel(double value) const { return from + (to - from) * (scaled(value) - low) / (high - low); }
  void include(double value) {
    if (!shows(value)) return;
    low = std::min(low, scaled(value));
    high = std::max(high, scaled(value));
  }
  /// Some room around what there is.
  void settle(double room) {
    if (!(low <= high)) low = 0, high = 1;
    const double span = high - low > 0 ? high - low : std::max(1e-3, std::abs(high) * 0.1);
    if (high - low <= 0) low -= span / 2, high += span / 2;
    low -= room * span;
    high += room * span;
  }
  std::vector<double> ticks() const {
    std::vector<double> result;
    if (log) {
      const double step = std::max(1.0, std::ceil((high - low) / 6));
      for (double e = std::ceil(low); e <= high + 1e-9; e += step) result.push_back(std::pow(10, e));
      if (result.size() >= 2) return result;
      result.clear();
      for (double e = std::floor(low); e <= high; ++e)
        for (const double digit : {1.0, 2.0, 5.0})
          if (const double value = digit * std::pow(10, e); scaled(value) >= low && scaled(value) <= high)
            result.push_back(value);
      return result;
    }
    const double step = tick_step(low, high, 6);
    for (double v = std::ceil(low / step) * step; v <= high + step * 1e-9; v += step)
      result.push_back(std::abs(v) < step * 1e-6 ? 0.0 : v);
    return result;
  }
};

/// Dark blue, green, yellow by 0 … 1: readable in grey, and for who does not tell red from green.
std::string shade(double share) {
  const double t = std::clamp(share, 0.0, 1.0);
  const auto part = [](double x) { return static_cast<int>(std::lround(255 * std::clamp(x, 0.0, 1.0))); };
  return fmt::format("#{:02x}{:02x}{:02x}", part(t < 0.5 ? 0.27 - 0.3 * t : 0.12 + 1.7 * (t - 0.5)),
                     part(0.02 + 0.9 * t), part(0.34 + 0.45 * t - 0.95 * t * t));
}

class FigureDrawing {
 public:
  explicit FigureDrawing(const Figure& figure) : figure_(figure) {
    x_.log = figure.log_x, y_.log = figure.log_y;
    x_.from = margin_left, x_.to = whole_width - margin_right, y_.from = whole_height - margin_bottom,
    y_.to = margin_top;
    if (const auto& surface = figure.surface) {
      for (const double v : {surface->left, surface->right}) x_.include(v);
      for (const double v : {surface->bottom, surface->top}) y_.include(v);
      return;
    }
    for (const FigureCurve& curve : figure.curves) {
      for (const double v : curve.x) x_.include(v);
      for (const auto* values : {&curve.y, &curve.low, &curve.high})
        for (const double v : *values) y_.include(v);
    }
    for (const FigureMark& mark : figure.x_marks) x_.include(mark.second);
    for (const FigureMark& mark : figure.y_marks) y_.include(mark.second);
    x_.settle(0.02);
    y_.settle(0.05);
  }

  std::string svg() {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" "
        "fill=\"#ffffff\"/>\n"
        "<text x=\"{2}\" y=\"26\" font-size=\"16\" font-weight=\"600\">{3}</text>\n",
        whole_width, whole_height, margin_left, html_escaped(figure_.title));
    out_ += fmt::format("<clipPath id=\"frame\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n",
                        margin_left, margin_top, whole_width - margin_left - margin_right,
                        whole_height - margin_top - margin_bottom);
    if (figure_.surface) draw(*figure_.surface);
    axes();
    marks();
    for (std::size_t i = 0; i < figure_.curves.size(); ++i) draw(figure_.curves[i], i);
    return out_ + "</svg>\n";
  }

 private:
  void draw(const FigureSurface& surface) {
    double least = std::numeric_limits<double>::infinity(), most = -least;
    for (const double v : surface.values)
      if (std::isfinite(v)) least = std::min(least, v), most = std::max(most, v);
    const std::size_t rows = surface.values.size() / surface.columns;
    const double w = (x_.to - x_.from) / static_cast<double>(surface.columns),
                 h = (y_.from - y_.to) / static_cast<double>(rows);
    for (std::size_t i = 0; i < surface.values.size(); ++i) {
      if (!std::isfinite(surface.values[i])) continue;
      const double share = most > least ? (surface.values[i] - least) / (most - least) : 0;
      const std::size_t row = i / surface.columns, column = i % surface.columns;
      out_ += fmt::format(
          "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\" "
          "shape-rendering=\"crispEdges\"/>\n",
          x_.from + w * static_cast<double>(column), y_.from - h * static_cast<double>(row + 1), w + 0.3, h + 0.3,
          shade(share));
    }
    // The scale of the shades, beside the legend.
    const double x = whole_width - margin_right + 18, bar = 120, y = whole_height - margin_bottom - bar;
    for (int k = 0; k < 40; ++k)
      out_ += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"14\" height=\"3.2\" fill=\"{}\"/>\n", x,
                          y + bar - 3 * (k + 1), shade(k / 39.0));
    out_ += fmt::format(
        "<text x=\"{0}\" y=\"{1}\">{2:.4g}</text><text x=\"{0}\" y=\"{3}\">{4:.4g}</text>"
        "<text x=\"{5}\" y=\"{6}\">{7}</text>\n",
        x + 20, y + 8, most, y + bar, least, x, y - 10, html_escaped(surface.label));
  }

  void axes() {
    for (const double v : y_.ticks())
      out_ += fmt::format(
          "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#e4e4e4\"{5}/><text x=\"{3}\" "
          "y=\"{4:.1f}\" text-anchor=\"end\">{6:.4g}</text>\n",
          margin_left, whole_width - margin_right, y_.pixel(v), margin_left - 8, y_.pixel(v) + 4,
          figure_.surface ? " stroke-opacity=\"0\"" : "", v);
    for (const double v : x_.ticks())
      out_ += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#444\"/><text x=\"{0:.1f}\" y=\"{3}\" "
          "text-anchor=\"middle\">{4:.6g}</text>\n",
          x_.pixel(v), whole_height - margin_bottom, whole_height - margin_bottom + 5,
          whole_height - margin_bottom + 21, v);
    out_ += fmt::format("<path d=\"M{0} {1} V{2} H{3}\" fill=\"none\" stroke=\"#444\"/>\n", margin_left, margin_top,
                        whole_height - margin_bottom, whole_width - margin_right);
    out_ += fmt::format("<text x=\"{:.0f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                        (margin_left + whole_width - margin_right) / 2, whole_height - 16, html_escaped(figure_.x));
    out_ += fmt::format("<text transform=\"translate(22 {:.0f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                        (margin_top + whole_height - margin_bottom) / 2, html_escaped(figure_.y));
  }

  void marks() {
    constexpr const char* dashes = "stroke=\"#555\" stroke-dasharray=\"5 4\"";
    for (const auto& [words, value] : figure_.y_marks)
      if (y_.shows(value))
        out_ += fmt::format(
            "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" {3}/><text x=\"{4}\" "
            "y=\"{5:.1f}\" text-anchor=\"end\" fill=\"#555\">{6}</text>\n",
            margin_left, whole_width - margin_right, y_.pixel(value), dashes, whole_width - margin_right - 6,
            y_.pixel(value) - 5, html_escaped(words));
    for (const auto& [words, value] : figure_.x_marks) {
      if (!x_.shows(value)) continue;
      // On the side where there is more room.
      const bool to_the_left = x_.pixel(value) > (x_.from + x_.to) / 2;
      out_ += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" {3}/><text x=\"{4:.1f}\" y=\"{5}\" "
          "text-anchor=\"{6}\" fill=\"#555\">{7}</text>\n",
          x_.pixel(value), margin_top, whole_height - margin_bottom, dashes, x_.pixel(value) + (to_the_left ? -6 : 6),
          margin_top + 14, to_the_left ? "end" : "start", html_escaped(words));
    }
  }

  void draw(const FigureCurve& curve, std::size_t index) {
    const char* colour = curve_colours[index % std::size(curve_colours)];
    std::string path, band;
    bool pen_down = false;
    for (std::size_t i = 0; i < curve.x.size(); ++i) {
      if (!x_.shows(curve.x[i]) || !y_.shows(curve.y[i])) {
        pen_down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? " L" : " M", x_.pixel(curve.x[i]), y_.pixel(curve.y[i]));
      pen_down = true;
      const std::string dot = fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n",
                                          x_.pixel(curve.x[i]), y_.pixel(curve.y[i]), colour);
      if (curve.points) out_ += dot;
      if (i < curve.low.size() && i < curve.high.size() && y_.shows(curve.high[i])) {
        const double floor = y_.shows(curve.low[i]) ? y_.pixel(curve.low[i]) : y_.from;
        out_ += fmt::format(
            "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\" "
            "stroke-opacity=\"0.45\" stroke-width=\"3\"/>\n",
            x_.pixel(curve.x[i]), floor, y_.pixel(curve.high[i]), colour);
      }
    }
    const char* outline = figure_.surface ? " stroke=\"#ffffff\" stroke-width=\"4\" stroke-opacity=\"0.6\"" : nullptr;
    if (outline) out_ += fmt::format("<path d=\"{}\" fill=\"none\" clip-path=\"url(#frame)\"{}/>\n", path, outline);
    out_ += fmt::format(
        "<path d=\"{}\" fill=\"none\" clip-path=\"url(#frame)\" stroke=\"{}\" stroke-width=\"1.8\" "
        "stroke-linejoin=\"round\"/>\n",
        path, colour);
    if (figure_.surface && !curve.x.empty() && x_.shows(curve.x.back()) && y_.shows(curve.y.back()))
      out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\" stroke=\"#ffffff\"/>\n",
                          std::clamp(x_.pixel(curve.x.back()), x_.from, x_.to),
                          std::clamp(y_.pixel(curve.y.back()), y_.to, y_.from), colour);
    const double y = margin_top + 14 + 20 * static_cast<double>(index);
    out_ += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.0f}\" y2=\"{2:.0f}\" stroke=\"{3}\" stroke-width=\"3\"/>"
        "<text x=\"{4}\" y=\"{5:.0f}\">{6}</text>\n",
        whole_width - margin_right + 14, whole_width - margin_right + 36, y, colour, whole_width - margin_right + 42,
        y + 4, html_escaped(curve.label));
  }

  const Figure& figure_;
  Axis x_, y_;
  std::string out_;
};

}  // namespace

std::string figure_svg(const Figure& figure) { return FigureDrawing(figure).svg(); }

}  // namespace lopt
