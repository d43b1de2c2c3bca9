// IDX files, the format of MNIST: two zeros, the type 0x08 (bytes), the number of dimensions, each length big-endian.
#include "data/damaged.h"
#include "data/gzip.h"

#include <fmt/format.h>

namespace lopt {

Array read_idx(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::vector<std::uint8_t> plain;
  if (is_gzip(bytes)) bytes = plain = inflated(bytes, name);
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    damaged(name, "it is no IDX file: it does not begin with two zero bytes");
  if (bytes[2] != 0x08)
    damaged(name, fmt::format("its elements are of IDX type 0x{:02x}; 0x08, unsigned bytes, is read", bytes[2]));
  const std::size_t rank = bytes[3];
  if (rank == 0 || rank > 4) damaged(name, fmt::format("it says that it has {} dimensions; 1 to 4 are read", rank));
  if (bytes.size() < 4 + 4 * rank) damaged(name, "its header is cut short");
  Shape shape;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::uint8_t* at = bytes.data() + 4 + 4 * i;
    shape.push_back((std::int64_t{at[0]} << 24) | (at[1] << 16) | (at[2] << 8) | at[3]);
  }
  std::int64_t count = 0;
  try {
    count = element_count(shape);
  } catch (const std::length_error& error) {
    damaged(name, error.what());
  }
  const std::size_t start = 4 + 4 * rank;
  if (bytes.size() - start != static_cast<std::size_t>(count))
    damaged(name, fmt::format("its header speaks of {} elements, but {} follow", count, bytes.size() - start));
  Array result(DType::int32, shape);
  auto to = result.mutable_values<std::int32_t>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = bytes[start + i];
  return result;
}

Array read_idx(const std::string& path) { return read_idx(file_bytes(path), path); }

}  // namespace lopt
