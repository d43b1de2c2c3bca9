#pragma once
#include <nettle/sha2.h>

#include <cstdint>
#include <span>
#include <string>

namespace lopt {

/// SHA-256 (FIPS 180-4) of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();
  void add(std::span<const std::uint8_t> bytes);
  /// 64 hexadecimal digits; once.
  std::string digest();

 private:
  sha256_ctx context_;
};

/// SHA-256 as 64 hexadecimal digits.
std::string sha256(std::span<const std::uint8_t> bytes);
/// Of a file's bytes; empty where it cannot be read.
std::string sha256_of_file(const std::string& path);
/// True for 64 hexadecimal digits in lower case.
bool is_sha256(const std::string& text);

}  // namespace lopt
