#include "kernels/simd.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

namespace lopt::kernels {
namespace {

/// f(name, bit) for each level, the best first, until it returns true.
template <class Function>
bool any_level(Function f) {
  hwy::SetSupportedTargetsForTest(0);  // as the processor has them
  const std::int64_t levels = hwy::SupportedTargets() & HWY_TARGETS;
  for (std::int64_t bit = 1; bit > 0 && bit <= levels; bit <<= 1)  // better levels have lower bits
    if ((levels & bit) && f(std::string(hwy::TargetName(bit)), bit)) return true;
  return false;
}

}  // namespace

std::vector<std::string> simd_levels() {
  std::vector<std::string> names;
  any_level([&](const std::string& name, std::int64_t) {
    names.push_back(name);
    return false;
  });
  hwy::GetChosenTarget().DeInit();
  return names;
}

bool select_simd(std::string_view level) {
  const bool found = any_level([&](const std::string& name, std::int64_t bit) {
    if (name != level) return false;
    hwy::SetSupportedTargetsForTest(bit);
    return true;
  });
  hwy::GetChosenTarget().DeInit();
  return found;
}

}  // namespace lopt::kernels
