#pragma once
// Parameters whose dimensions another program keeps in another order.

#include "execute/block_team.h"
#include "program/program.h"

namespace lopt {

/// The shape that a rule sees: dimension i is dimension axes[i] of `shape`. No axes: as it is.
Shape permuted(const Shape& shape, std::span<const std::size_t> axes);
/// Elements of `from`, of `shape`, in the order of the permuted shape; by all threads of a team, where there is one.
void copy_permuted(const Shape& shape, std::span<const std::size_t> axes, const float* from, float* to,
                   BlockTeam* team);
/// The way back.
void copy_back(const Shape& shape, std::span<const std::size_t> axes, const float* from, float* to, BlockTeam* team);

}  // namespace lopt
