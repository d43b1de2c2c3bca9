#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace lopt {

/// SHA-256 (FIPS 180-4), as 64 hexadecimal digits.
std::string sha256(std::span<const std::uint8_t> bytes);
/// Of a file's bytes; empty where it cannot be read.
std::string sha256_of_file(const std::string& path);
/// True for 64 hexadecimal digits in lower case.
bool is_sha256(const std::string& text);

}  // namespace lopt
