#include "characters.h"

#include <algorithm>

namespace lopt {

std::size_t Characters::decode(std::size_t at, std::uint32_t& code) const {
  const std::uint8_t first = text_[at];
  if (one_byte_each_ || first < 0x80) {
    code = first;
    return 1;
  }
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || at + length > text_.size()) return 0;
  code = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint8_t next = text_[at + i];
    if ((next & 0xc0U) != 0x80U) return 0;
    code = code << 6U | (next & 0x3fU);
  }
  return length;
}

Characters::Characters(std::span<const std::uint8_t> text, const std::string& unit, const std::string& name)
    : text_(text) {
  one_byte_each_ = unit == "bytes" || std::ranges::all_of(text, [](std::uint8_t byte) { return byte < 0x80; });
  for (std::size_t at = 0; at < text.size(); ++size_) {
    std::uint32_t code = 0;
    const std::size_t length = decode(at, code);
    if (length == 0)
      throw DataError(name + ": byte " + std::to_string(at) +
                      " begins no UTF-8 character; `unit: bytes` reads any file");
    if (code >= numbers_.size()) numbers_.resize(code + 1, -1);
    numbers_[code] = 0;
    if (!one_byte_each_ && size_ % stride == 0) places_.push_back(at);
    at += length;
  }
  for (std::int32_t& number : numbers_)
    if (number == 0) number = alphabet_++;
}

void Characters::read(std::size_t first, std::span<std::int32_t> numbers) const {
  std::size_t at = first, skipped = 0;
  if (!one_byte_each_) {
    at = places_[first / stride];
    skipped = first % stride;
  }
  std::uint32_t code = 0;
  for (; skipped > 0; --skipped) at += decode(at, code);
  for (std::int32_t& number : numbers) {
    at += decode(at, code);
    number = numbers_[code];
  }
}

}  // namespace lopt
