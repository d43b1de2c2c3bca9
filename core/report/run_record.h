#pragma once
// What a run's metrics say, as charts of a page; it grows by a line at a time, in room that does not.

#include "report/series.h"

#include <map>
#include <string>

namespace lopt {

class RunRecord {
 public:
  /// A line of metrics.jsonl, of a meta-training or of an inner training.
  void add(const Json& line);
  bool empty() const { return empty_; }
  bool is_meta() const { return is_meta_; }
  /// The chart that a run is known by: its meta-loss, or training losses.
  Json main_chart(const Json& summary) const;
  /// The others: validation, members, gradient norms, what diverged, seconds.
  Json other_charts() const;
  /// The curve of the main chart that stands for the run beside other runs.
  Json main_curve(const std::string& label) const;

 private:
  void add_meta(double step, const Json& line);
  void add_inner(double step, const Json& line);
  using ByName = std::vector<std::pair<std::string, Series>>;
  static Series& of(ByName& series, const std::string& name, std::size_t most_parts = 1000);
  static Json curves(const ByName& series, std::size_t shown);

  bool empty_ = true, is_meta_ = false;
  Series loss_, gradient_norm_, seconds_, diverged_, skipped_;
  ByName validation_, members_, population_, theta_, losses_, measured_;
};

/// {"title", "x", "y", "curves"} of a page.
Json chart(const std::string& title, const std::string& x, const std::string& y, Json curves, bool log = false,
           const std::string& note = "");

/// The mean over runs with the least and largest of them, losses[run][step], in at most 400 points.
Json spread_curve(const std::string& label, const std::vector<std::vector<float>>& losses);

}  // namespace lopt
