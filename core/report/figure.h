#pragma once
// Figures as papers have them: curves over any axis, with intervals and marks, or paths over a surface.

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lopt {

struct FigureCurve {
  std::string label;
  std::vector<double> x = {}, y = {};
  std::vector<double> low = {}, high = {};  // the ends of an interval around each y; empty: none
  bool points = false;                      // a dot at each value
};

/// A line across, with words: {"θ = −1/6", −0.167}.
using FigureMark = std::pair<std::string, double>;

/// Values [rows, columns] over a rectangle, the first row at the bottom; those that are not finite are blank.
struct FigureSurface {
  double left = 0, right = 1, bottom = 0, top = 1;
  std::size_t columns = 0;
  std::vector<double> values;
  std::string label;  // what the values are
};

struct Figure {
  std::string title, x, y;  // y: what the axis shows, or "" for none
  bool log_x = false, log_y = false;
  std::vector<FigureCurve> curves = {};
  std::vector<FigureMark> x_marks = {}, y_marks = {};
  std::optional<FigureSurface> surface = {};  // then curves are paths over it, and end in a dot
};

/// The figure as SVG. What is not finite, or not above 0 on a logarithmic axis, is left out.
std::string figure_svg(const Figure& figure);

}  // namespace lopt
