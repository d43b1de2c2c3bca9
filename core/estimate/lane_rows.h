#pragma once
// Lanes, and what an estimator keeps of them, in a checkpoint: rows of whole numbers among its facts, and their states
// as a tree.

#include "data/checkpoint_file.h"

#include <lopt/estimator.h>

namespace lopt {

Json rows_of(const std::vector<Lane>& lanes);
/// Each lane's state, and behind it its tangents; named "0", "1", …
Values states_of(const std::vector<Lane>& lanes);
/// The lanes of both. Throws DataError or Json::exception where they do not fit together.
std::vector<Lane> lanes_from(const Json& rows, const Values& states);

/// What an estimator keeps: as a tree, to which rows_of() its lanes belong, and back.
Values tree_of(const EstimatorState& state);
EstimatorState state_from(const Json& rows, const Values& tree);
/// The same as bytes. Throws DataError where they are none.
std::string encoded(const EstimatorState& state);
EstimatorState decoded_state(std::span<const std::byte> bytes);

}  // namespace lopt
