#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lopt::kernels {

/// The SIMD levels that the kernels were compiled for and this processor has, the best first: "AVX3", "AVX2", "SSE4",
/// ….
std::vector<std::string> simd_levels();
/// From now on kernels of this level are used. Executables that were bound before keep theirs, so it is chosen before
/// anything is compiled. False where this processor has no such level.
bool select_simd(std::string_view level);

}  // namespace lopt::kernels
