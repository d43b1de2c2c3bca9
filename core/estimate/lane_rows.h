#pragma once
// Lanes in a checkpoint: rows of whole numbers among its facts, and their states as a tree.

#include "data/checkpoint_file.h"

#include <lopt/estimator.h>

namespace lopt {

Json rows_of(const std::vector<Lane>& lanes);
/// Each lane's state, and behind it its tangents; named "0", "1", …
Values states_of(const std::vector<Lane>& lanes);
/// The lanes of both. Throws DataError or Json::exception where they do not fit together.
std::vector<Lane> lanes_from(const Json& rows, const Values& states);

}  // namespace lopt
