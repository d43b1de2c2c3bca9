#pragma once
// Kernels of a plan that are no regions.

#include "plan/plan.h"

namespace lopt {

void copy_view(const View& from, const std::uint32_t* source, const View& to, std::uint32_t* target);
void run_reduction(const Reduction& reduction, const void* from, void* to);
/// `pointers`: where each buffer lies. `parallel`: blocks of rows run on the threads of this TBB arena.
void run_gemm(const Gemm& gemm, const std::vector<void*>& pointers, bool parallel);

}  // namespace lopt
