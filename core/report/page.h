#pragma once
// A page that shows results: one HTML file that loads nothing from elsewhere. Its figures are drawn by page/page.js
// from data that is in it; all words are in the HTML itself.

#include "data/json.h"

#include <string>
#include <vector>

namespace lopt {

class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}
  /// What the page says first: a sentence each.
  void verdict(const std::vector<std::string>& sentences);
  void heading(const std::string& text, int level = 2);
  void paragraph(const std::string& text);
  /// {"title", "x", "y", "curves": [{"label", "x", "y", "low"…, "high"…, "smooth"…}]}.
  void chart(Json chart);
  /// Squares of values: {"axis": [n], "maps": [{"label", "largest", "values": [n · n]}]}.
  void maps(const std::string& caption, Json maps);
  /// An SVG as it is.
  void picture(const std::string& svg);
  /// {"side", "labels": [n], "pixels": base64 of n · side² bytes}.
  void images(Json images);
  /// Columns whose cells all begin with a digit or a sign stand to the right.
  void table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows);
  void folded(const std::string& summary, const std::string& text);
  void code(const std::string& text);
  /// The page looks at itself anew while the run goes on.
  void running() { data_["running"] = true; }
  std::string html() const;

 private:
  std::string title_, body_;
  Json data_{{"charts", Json::array()}, {"maps", Json::array()}, {"images", Json::array()}, {"running", false}};
};

std::string html_escaped(const std::string& text);

}  // namespace lopt
