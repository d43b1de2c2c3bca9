// Any bytes as an IDX file, plain or gzip.
#include <lopt/dataset.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    static_cast<void>(lopt::read_idx({data, size}, "input"));
  } catch (const lopt::DataError&) {}
  return 0;
}
