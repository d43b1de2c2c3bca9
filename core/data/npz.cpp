#include "data/npz.h"

#include "data/damaged.h"
#include "data/safetensors.h"

#include <fmt/format.h>
#include <zip.h>

#include <bit>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

namespace lopt {
namespace {

constexpr std::uint64_t most_array_bytes = std::uint64_t{1} << 32U;

/// The value of a key in the header's Python dictionary, up to its comma.
std::optional<std::string> entry(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = header.substr(at + key.size() + 3);
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::nullopt;
  rest = rest.substr(begin);
  const char last = rest[0] == '(' ? ')' : rest[0] == '\'' ? '\'' : ',';
  const std::size_t end = rest.find(last, 1);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(last == ',' ? rest.substr(0, end) : rest.substr(1, end - 1));
}

Shape parse_shape(const std::string& text, const std::string& name) {
  Shape shape;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    std::int64_t length = 0;
    const auto [next, error] = std::from_chars(at, end, length);
    if (error != std::errc() || length < 0) damaged(name, "its header has no readable shape");
    shape.push_back(length);
    at = next;
  }
  return shape;
}

/// Elements stored as From, kept as To.
template <class From, class To>
Array converted(const Shape& shape, std::span<const std::uint8_t> bytes, const std::string& name) {
  const std::size_t wanted = static_cast<std::size_t>(element_count(shape)) * sizeof(From);
  if (bytes.size() < wanted)  // asked before any memory is
    damaged(name, fmt::format("{} bytes of elements where {} belong: the file is cut short", bytes.size(), wanted));
  Array result(dtype_of<To>, shape);
  auto to = result.mutable_values<To>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    From element;
    std::memcpy(&element, bytes.data() + i * sizeof(From), sizeof(From));
    to[i] = static_cast<To>(element);  // NOLINT(bugprone-signed-char-misuse): int8 is a number here
    if constexpr (sizeof(From) == 8 && std::is_integral_v<From>)
      if (static_cast<From>(to[i]) != element)
        damaged(name, fmt::format("element {} is {}, which does not fit 32 bits", i, element));
  }
  return result;
}

struct ZipCloser {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct ZipFileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

std::string npy_header(const Array& array) {
  const char* type = array.dtype() == DType::float32  ? "<f4"
                     : array.dtype() == DType::int32  ? "<i4"
                     : array.dtype() == DType::uint32 ? "<u4"
                                                      : "|b1";
  std::string shape;
  for (std::int64_t length : array.shape()) shape += fmt::format("{}, ", length);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(length & 0xffU) + static_cast<char>(length >> 8U) +
         header;
}

std::string npy_of(const Array& array) {
  std::string bytes = npy_header(array);
  if (array.dtype() == DType::boolean) {
    for (std::uint32_t x : array.values<std::uint32_t>()) bytes += static_cast<char>(x != 0);
  } else {
    bytes.append(static_cast<const char*>(array.data()), array.size() * 4);
  }
  return bytes;
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "NumPy files are read and written as little-endian");

Array parse_npy(std::span<const std::uint8_t> bytes, const std::string& name) {
  if (bytes.size() < 12 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0) damaged(name, "it is no NumPy array");
  const bool first_version = bytes[6] == 1;
  const std::size_t start = first_version ? 10 : 12;
  std::size_t length = bytes[8] + 256U * bytes[9];
  if (!first_version) length += 65536U * bytes[10] + 16777216U * bytes[11];
  if (length > bytes.size() - start) damaged(name, "its header is cut short");
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + start, length);
  const auto type = entry(header, "descr"), order = entry(header, "fortran_order"), lengths = entry(header, "shape");
  if (!type || !order || !lengths) damaged(name, "its header lacks the type, order or shape");
  const Shape shape = parse_shape(*lengths, name);
  if (*order != "False" && shape.size() > 1)
    damaged(name, "it is in Fortran order; save it with numpy.ascontiguousarray");
  try {
    element_count(shape);
  } catch (const std::length_error& error) {
    damaged(name, error.what());
  }
  const auto elements = bytes.subspan(start + length);
  if (*type == "<f4") return converted<float, float>(shape, elements, name);
  if (*type == "<f8") return converted<double, float>(shape, elements, name);
  if (*type == "|u1") return converted<std::uint8_t, std::int32_t>(shape, elements, name);
  if (*type == "|i1") return converted<std::int8_t, std::int32_t>(shape, elements, name);
  if (*type == "<u2") return converted<std::uint16_t, std::int32_t>(shape, elements, name);
  if (*type == "<i2") return converted<std::int16_t, std::int32_t>(shape, elements, name);
  if (*type == "<i4") return converted<std::int32_t, std::int32_t>(shape, elements, name);
  if (*type == "<i8") return converted<std::int64_t, std::int32_t>(shape, elements, name);
  if (*type == "<u4") return converted<std::uint32_t, std::uint32_t>(shape, elements, name);
  if (*type == "<u8") return converted<std::uint64_t, std::uint32_t>(shape, elements, name);
  if (*type == "|b1") return converted<std::uint8_t, std::int32_t>(shape, elements, name);
  damaged(name, fmt::format("its elements are of type {}; float32, float64 and integers are read", *type));
}

namespace {
[[noreturn]] void no_archive(const std::string& path, zip_error_t& error) {
  const std::string why = zip_error_strerror(&error);
  zip_error_fini(&error);
  damaged(path, fmt::format("cannot be read as a NumPy .npz file: {}", why));
}

Values read_archive(zip_t* archive, const std::string& path) {
  std::vector<Values::Entry> entries;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
    zip_stat_t stat;
    if (zip_stat_index(archive, static_cast<zip_uint64_t>(i), 0, &stat) != 0 || !stat.name ||
        !(stat.valid & ZIP_STAT_SIZE))
      damaged(path, "its table of contents is damaged");
    std::string name = stat.name;
    if (name.size() < 4 || !name.ends_with(".npy")) continue;
    if (stat.size > most_array_bytes) damaged(path, fmt::format("{} is larger than 4 GB", name));
    std::unique_ptr<zip_file_t, ZipFileCloser> file(zip_fopen_index(archive, static_cast<zip_uint64_t>(i), 0));
    std::vector<std::uint8_t> bytes;
    std::uint8_t block[65536];
    zip_int64_t got = 0;
    while (file && (got = zip_fread(file.get(), block, sizeof block)) > 0) {
      bytes.insert(bytes.end(), block, block + got);
      if (bytes.size() > stat.size) break;
    }
    if (!file || got < 0 || bytes.size() != stat.size) damaged(path, fmt::format("{} is damaged", name));
    name.resize(name.size() - 4);
    entries.emplace_back(name, parse_npy(bytes, path + ": " + name));
  }
  if (entries.empty()) damaged(path, "it holds no arrays");
  return Values(std::move(entries));
}
}  // namespace

Values read_npz(const std::string& path) {
  if (is_safetensors(path)) return read_safetensors(path);
  int code = 0;
  const std::unique_ptr<zip_t, ZipCloser> archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  if (!archive) no_archive(path, error);
  return read_archive(archive.get(), path);
}

Values read_npz(std::span<const std::uint8_t> bytes, const std::string& name) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (!source) no_archive(name, error);
  const std::unique_ptr<zip_t, ZipCloser> archive(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (!archive) {
    zip_source_free(source);
    no_archive(name, error);
  }
  return read_archive(archive.get(), name);
}

std::string npz_comment(const std::string& path) {
  if (is_safetensors(path)) return safetensors_comment(path);
  int code = 0;
  const std::unique_ptr<zip_t, ZipCloser> archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  if (!archive) no_archive(path, error);
  int length = 0;
  const char* comment = zip_get_archive_comment(archive.get(), &length, ZIP_FL_ENC_RAW);
  return comment ? std::string(comment, static_cast<std::size_t>(length)) : "";
}

void write_npz(const std::string& path, const std::vector<std::pair<std::string, Array>>& arrays,
               const std::string& comment) {
  const std::string partial = path + ".partial";
  int code = 0;
  std::unique_ptr<zip_t, ZipCloser> archive(zip_open(partial.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  auto fail = [&](const std::string& why) {
    archive.reset();
    std::error_code ignored;
    std::filesystem::remove(partial, ignored);
    throw std::runtime_error(fmt::format("cannot write {}: {}", path, why));
  };
  if (!archive) fail(std::strerror(errno));
  std::vector<std::string> contents;
  contents.reserve(arrays.size());
  for (const auto& [name, array] : arrays) {
    contents.push_back(npy_of(array));
    zip_source_t* source = zip_source_buffer(archive.get(), contents.back().data(), contents.back().size(), 0);
    if (!source || zip_file_add(archive.get(), (name + ".npy").c_str(), source, ZIP_FL_OVERWRITE) < 0)
      fail(zip_strerror(archive.get()));
    // The same arrays make the same bytes.
    zip_file_set_mtime(archive.get(), static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0) - 1), 315532800,
                       0);
  }
  if (comment.size() > 65535 ||
      zip_set_archive_comment(archive.get(), comment.data(), static_cast<zip_uint16_t>(comment.size())) != 0)
    fail("its comment is too long");
  if (zip_close(archive.get()) != 0) fail(zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  std::error_code error;
  std::filesystem::rename(partial, path, error);
  if (error) fail(error.message());
}

void write_npz(const std::string& path, const Values& tree, const std::string& comment) {
  std::vector<std::pair<std::string, Array>> arrays;
  const std::vector<std::string> names = tree.paths();
  const std::vector<Array> leaves = tree.leaves();
  for (std::size_t i = 0; i < leaves.size(); ++i) arrays.emplace_back(names[i], leaves[i]);
  write_npz(path, arrays, comment);
}

}  // namespace lopt
