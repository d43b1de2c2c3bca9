#pragma once
// A text as numbers, read from its bytes whenever some are wanted: nothing of its size is copied.

#include <lopt/dataset.h>

#include <string>

namespace lopt {

/// The characters of a text, or its bytes, numbered in the order of their codes.
class Characters {
 public:
  Characters() = default;
  /// `text` outlives this. Throws DataError with the place of the first byte that begins no UTF-8 character, where
  /// `unit` is not "bytes".
  Characters(std::span<const std::uint8_t> text, const std::string& unit, const std::string& name);

  std::size_t size() const { return size_; }
  std::int32_t alphabet() const { return alphabet_; }
  /// Numbers of the characters from `first` on, as many as `numbers` holds.
  void read(std::size_t first, std::span<std::int32_t> numbers) const;

 private:
  static constexpr std::size_t stride = 256;

  /// The length in bytes of the character at a place, 0 where there is none, and its code.
  std::size_t decode(std::size_t at, std::uint32_t& code) const;

  std::span<const std::uint8_t> text_;
  bool one_byte_each_ = true;
  std::size_t size_ = 0;
  std::vector<std::size_t> places_;    // of every 256th character, where they differ in length
  std::vector<std::int32_t> numbers_;  // by code
  std::int32_t alphabet_ = 0;
};

}  // namespace lopt
