#pragma once
// Who went on from whom in a population, as a picture.

#include "data/json.h"

#include <string>

namespace lopt {

/// `population`: {"members", "steps", "best", "settings": [[[path, value]…]…] at the start, "lineage": [{"step",
/// "member", "parent", "settings"}…]}. A row for each member, from left to right; its shade is the value of the first
/// setting that varies. A line goes up or down where a member went on from another; the best one's ancestors are bold.
std::string lineage_svg(const Json& population);

}  // namespace lopt
