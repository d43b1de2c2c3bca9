// Any bytes as a NumPy .npz file, and as one .npy array.
#include "data/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    static_cast<void>(lopt::read_npz(std::span(data, size), "input"));
  } catch (const lopt::DataError&) {}
  try {
    static_cast<void>(lopt::parse_stored_npy({data, size}, "input"));
  } catch (const lopt::DataError&) {}
  return 0;
}
