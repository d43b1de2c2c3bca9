// Any bytes as a safetensors file.
#include "data/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    static_cast<void>(lopt::parse_safetensors({data, size}, "input"));
  } catch (const lopt::DataError&) {}
  return 0;
}
