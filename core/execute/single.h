#pragma once
// Kernels of a plan that are no regions.

#include "execute/block_team.h"
#include "plan/plan.h"

namespace lopt {

/// `source`, `target`: where the buffers lie that it copies from and to. `team`: parts of what is large are copied by
/// its threads; null: one after the other.
void run_copy(const Copies::Copy& copy, const std::uint32_t* source, std::uint32_t* target, BlockTeam* team = nullptr);
void run_reduction(const Reduction& reduction, const void* from, void* to);
/// `pointers`: where each buffer lies. `team`: blocks of rows run on its threads; null: one after the other.
void run_gemm(const Gemm& gemm, const std::vector<void*>& pointers, BlockTeam* team);

}  // namespace lopt
