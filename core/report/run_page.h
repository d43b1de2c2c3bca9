#pragma once
// The page of a run's folder, and one page of several.

#include "report/run_record.h"

#include <string>
#include <vector>

namespace lopt {

/// What a run writes for its page beside its metrics, in page.json: {"applied": curves, "update": maps, "images": …},
/// each where there is one.
constexpr const char* page_data_file = "page.json";

/// The page of a run whose metrics are in `record`; all else is read from its folder. `under_way`: what it says first
/// while the run goes on; else empty.
std::string run_page(const std::string& folder, const RunRecord& record, const std::string& under_way = "");

/// A page of the folders of runs, evaluations and sweeps: what differs between their specs, their losses in one chart,
/// then each. Throws DataError where a folder is none of a run.
std::string report_page(const std::vector<std::string>& folders, const std::string& title);

/// Metrics of a run's folder, as far as they are whole lines.
RunRecord read_record(const std::string& folder);

}  // namespace lopt
