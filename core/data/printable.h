#pragma once
#include <string>
#include <string_view>

namespace lopt {

/// Text for a terminal, whatever it holds: control characters, but line breaks, and bytes that are no UTF-8 as \xNN.
std::string printable(std::string_view text);

/// Bytes of the UTF-8 character that a text begins with; 0 where it begins with none.
std::size_t utf8_bytes(std::string_view text);

}  // namespace lopt
