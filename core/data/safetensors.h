#pragma once
// The safetensors format: eight bytes with the length of a JSON header, the header with the type, shape and place of
// each array, the arrays' bytes. https://github.com/huggingface/safetensors#format

#include <lopt/dataset.h>

namespace lopt {

/// Writes the leaves of a tree by their paths; `comment` becomes the text "lopt" of its metadata. The file appears
/// whole or not at all. Throws std::runtime_error.
void write_safetensors(const std::string& path, const Values& tree, const std::string& comment);

/// The arrays of a file in memory: float64, float16 and bfloat16 become float32, int64 becomes int32. Throws DataError
/// in the name of `name`.
Values parse_safetensors(std::span<const std::uint8_t> bytes, const std::string& name);

/// The same of a file, and the text that write_safetensors() was given; empty where it has none. Throw DataError.
Values read_safetensors(const std::string& path);
std::string safetensors_comment(const std::string& path);

/// Whether a file is one, by its name.
inline bool is_safetensors(const std::string& path) { return path.ends_with(".safetensors"); }

}  // namespace lopt
