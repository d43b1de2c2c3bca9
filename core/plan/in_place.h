#pragma once
// Which results may lie where an input lies.

#include "plan/plan.h"

namespace lopt {

/// Where a plan reads its inputs for the last time, and where it first writes its outputs. An output may take the
/// memory of an input that nothing reads any more by then: an update then reads and writes a parameter once, where it
/// lies.
class InPlace {
 public:
  explicit InPlace(const Plan& plan);

  /// Whether output `output` may lie where input `input` lies, an array of as many elements. Any number of such pairs
  /// may be used at once, each output and each input in one of them.
  bool allows(std::size_t output, std::size_t input) const;

 private:
  /// A step of a plan: which kernel, and which instruction of it. Instructions of a region, and copies, that go row by
  /// row touch elements [r · columns, (r + 1) · columns) for row r alone, so that they follow one another in each row.
  struct Touch {
    std::size_t kernel = 0, instruction = 0;
    std::int64_t columns = 0;  // 0: not row by row
  };
  struct Touches;

  std::vector<std::size_t> output_sizes_, input_sizes_;
  /// Of each output, the first touch; columns 0 where there are more in that kernel.
  std::vector<std::optional<Touch>> written_;
  /// Of each input, the last touch; columns 0 where others in that kernel have other columns.
  std::vector<std::optional<Touch>> read_;
};

}  // namespace lopt
