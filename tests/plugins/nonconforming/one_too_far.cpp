// caught by: batch. Its batches count examples from 1.
#include "line.h"

class OneTooFar final : public Line {
 public:
  using Line::Line;
  void batch(lopt::HostKey key, std::uint32_t stream, std::int64_t step,
             std::span<std::int32_t> indices) const override {
    Line::batch(key, stream, step, indices);
    for (std::int32_t& index : indices) ++index;
  }
};
LOPT_PLUGIN(OneTooFar, "one_too_far", {.summary = "Counts from 1"})
