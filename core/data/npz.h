#pragma once
// NumPy's .npz files: a zip of .npy arrays.

#include <lopt/dataset.h>

namespace lopt {

/// Writes named arrays, deflated: bool and integers as they are, real numbers as float32. Throws std::runtime_error
/// with the system's reason. The file appears under its name once it is complete. `comment` becomes the archive's,
/// which NumPy passes over.
void write_npz(const std::string& path, const std::vector<std::pair<std::string, Array>>& arrays,
               const std::string& comment = "");
/// The leaves of a tree by their paths.
void write_npz(const std::string& path, const Values& tree, const std::string& comment = "");
/// The comment of an archive; empty where it has none. Throws DataError.
std::string npz_comment(const std::string& path);

/// The arrays of a .npz file in memory, as read_npz(path) gives them. Throws DataError in the name of `name`.
Values read_npz(std::span<const std::uint8_t> bytes, const std::string& name);
/// One array of NumPy's .npy format. Throws DataError in the name of `name`.
Array parse_npy(std::span<const std::uint8_t> bytes, const std::string& name);
/// The same, text too, with what it was stored as; without a name.
StoredArray parse_stored_npy(std::span<const std::uint8_t> bytes, const std::string& name);

}  // namespace lopt
