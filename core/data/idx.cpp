// IDX files, the format of MNIST: two zeros, the type 0x08 (bytes), the number of dimensions, each length big-endian.
#include "data/damaged.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace lopt {
namespace {

constexpr std::size_t most_idx_bytes = std::size_t{1} << 31U;

struct Inflater {
  z_stream stream{};
  Inflater() { inflateInit2(&stream, 15 + 16); }  // gzip
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream); }
};

std::vector<std::uint8_t> inflated(std::span<const std::uint8_t> bytes, const std::string& name) {
  Inflater inflater;
  z_stream& stream = inflater.stream;
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::vector<std::uint8_t> result;
  std::uint8_t block[65536];
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    stream.next_out = block;
    stream.avail_out = sizeof block;
    status = inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END) damaged(name, "its gzip compression is damaged or cut short");
    const std::size_t got = sizeof block - stream.avail_out;
    if (status == Z_OK && got == 0 && stream.avail_in == 0) damaged(name, "its gzip compression is cut short");
    result.insert(result.end(), block, block + got);
    if (result.size() > most_idx_bytes) damaged(name, "it is larger than 2 GB");
  }
  return result;
}

}  // namespace

Array read_idx(std::span<const std::uint8_t> bytes, const std::string& name) {
  std::vector<std::uint8_t> plain;
  if (bytes.size() > 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
    plain = inflated(bytes, name);
    bytes = plain;
  }
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

Array read_idx(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) damaged(path, std::strerror(errno));
  std::vector<std::uint8_t> bytes;
  std::uint8_t block[65536];
  for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, file.get())) > 0;) {
    bytes.insert(bytes.end(), block, block + got);
    if (bytes.size() > most_idx_bytes) damaged(path, "it is larger than 2 GB");
  }
  if (std::ferror(file.get())) damaged(path, std::strerror(errno));
  return read_idx(bytes, path);
}

}  // namespace lopt
