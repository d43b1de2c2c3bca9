// Any bytes as a checkpoint: as they are, and with the right beginning and checksum put around them, which a fuzzer
// would not guess. What is read is the same bytes when it is written again.
#include "data/checkpoint_file.h"
#include "data/sha256.h"

#include <cstdlib>

namespace {
void decode(std::span<const std::uint8_t> bytes) {
  try {
    const lopt::Checkpoint checkpoint = lopt::decode_checkpoint(bytes, "input");
    const std::string again = lopt::encode_checkpoint(checkpoint);
    const std::span read(reinterpret_cast<const std::uint8_t*>(again.data()), again.size());
    if (lopt::encode_checkpoint(lopt::decode_checkpoint(read, "written")) != again) std::abort();
  } catch (const lopt::DataError&) {}
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  decode({data, size});
  if (size < 2) return 0;
  // The first two bytes are the length of the JSON.
  std::string bytes = "lopt-checkpoint 1\n";
  bytes += static_cast<char>(data[0]);
  bytes += static_cast<char>(data[1] & 0x0fU);
  bytes.append(6, '\0');
  bytes.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  bytes += lopt::sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  return 0;
}
