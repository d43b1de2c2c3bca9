#include "data/gzip.h"

#include "data/damaged.h"

#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace lopt {
namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 31U;

struct Inflater {
  z_stream stream{};
  Inflater() { inflateInit2(&stream, 15 + 16); }  // gzip
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream); }
};

}  // namespace

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
    const bool ended = status == Z_STREAM_END;
    // A file may be several, one after the other.
    if (ended && is_gzip({stream.next_in, stream.avail_in})) status = inflateReset(&stream);
    if (status != Z_OK && status != Z_STREAM_END) damaged(name, "its gzip compression is damaged or cut short");
    const std::size_t got = sizeof block - stream.avail_out;
    if (status == Z_OK && !ended && got == 0 && stream.avail_in == 0)
      damaged(name, "its gzip compression is cut short");
    result.insert(result.end(), block, block + got);
    if (result.size() > most_bytes) damaged(name, "it is larger than 2 GB");
  }
  return result;
}

std::vector<std::uint8_t> file_bytes(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) damaged(path, std::strerror(errno));
  std::vector<std::uint8_t> bytes;
  std::uint8_t block[65536];
  for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, file.get())) > 0;) {
    bytes.insert(bytes.end(), block, block + got);
    if (bytes.size() > most_bytes) damaged(path, "it is larger than 2 GB");
  }
  if (std::ferror(file.get())) damaged(path, std::strerror(errno));
  return is_gzip(bytes) ? inflated(bytes, path) : bytes;
}

}  // namespace lopt
