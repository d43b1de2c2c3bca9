#include "data/npz.h"

#include "data/damaged.h"
#include "data/safetensors.h"

#include <fmt/format.h>
#include <zip.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>

namespace lopt {
namespace {

constexpr std::uint64_t most_array_bytes = std::uint64_t{1} << 32U;

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

namespace {
[[noreturn]] void no_archive(const std::string& path, zip_error_t& error) {
  const std::string why = zip_error_strerror(&error);
  zip_error_fini(&error);
  damaged(path, fmt::format("cannot be read as a NumPy .npz file: {}", why));
}

/// What is made of a .npy file of an archive: its name without the ending, and its bytes.
using TakeFile = std::function<void(const std::string& name, std::span<const std::uint8_t> bytes)>;

/// Gives the .npy files of an archive one after the other, so that no more than one is in memory beside its array.
void read_archive(zip_t* archive, const std::string& path, const TakeFile& take_file) {
  bool has_arrays = false;
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
    take_file(name, bytes);
    has_arrays = true;
  }
  if (!has_arrays) damaged(path, "it holds no arrays");
}

Values arrays_of(zip_t* archive, const std::string& path) {
  std::vector<Values::Entry> entries;
  read_archive(archive, path, [&](const std::string& name, std::span<const std::uint8_t> bytes) {
    entries.emplace_back(name, parse_npy(bytes, path + ": " + name));
  });
  return Values(std::move(entries));
}

std::unique_ptr<zip_t, ZipCloser> open_archive(const std::string& path) {
  int code = 0;
  std::unique_ptr<zip_t, ZipCloser> archive(zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  if (!archive) no_archive(path, error);
  return archive;
}

/// What is no .npy file knows less of how it was stored.
std::vector<StoredArray> stored(const Values& arrays) {
  std::vector<StoredArray> result;
  const std::vector<std::string> names = arrays.paths();
  const std::vector<Array> leaves = arrays.leaves();
  for (std::size_t i = 0; i < leaves.size(); ++i)
    result.push_back({names[i],
                      leaves[i].dtype() == DType::float32 ? StoredArray::Kind::real : StoredArray::Kind::integer,
                      leaves[i].shape(),
                      leaves[i],
                      {}});
  return result;
}
}  // namespace

std::vector<StoredArray> read_stored_arrays(const std::string& path) {
  if (is_safetensors(path)) return stored(read_safetensors(path));
  if (path.ends_with(".npy")) {
    StoredArray array = parse_stored_npy(file_bytes(path), path);
    array.name = std::filesystem::path(path).stem().string();
    return {std::move(array)};
  }
  std::vector<StoredArray> result;
  read_archive(open_archive(path).get(), path, [&](const std::string& name, std::span<const std::uint8_t> bytes) {
    result.push_back(parse_stored_npy(bytes, path + ": " + name));
    result.back().name = name;
  });
  return result;
}

Values read_npz(const std::string& path) {
  if (is_safetensors(path)) return read_safetensors(path);
  return arrays_of(open_archive(path).get(), path);
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
  return arrays_of(archive.get(), name);
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
