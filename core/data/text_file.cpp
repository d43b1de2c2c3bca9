// Text of files whose encoding is not known: UTF-8 is read, and what is something else is named.
#include "data/damaged.h"
#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>

namespace lopt {

std::string file_text(const std::string& path) {
  const std::vector<std::uint8_t> bytes = file_bytes(path);
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto zeros = static_cast<std::size_t>(std::ranges::count(all, '\0'));
  if (all.starts_with("\xff\xfe") || all.starts_with("\xfe\xff") || (zeros > 0 && zeros > all.size() / 4))
    damaged(path, "is UTF-16; UTF-8 is read: `iconv -f UTF-16 -t UTF-8` makes it of it");
  if (zeros > 0) damaged(path, "has bytes of 0, so it is no text");
  std::string_view rest = all.substr(all.starts_with("\xef\xbb\xbf") ? 3 : 0);
  std::string text(rest);
  while (!rest.empty()) {
    const std::size_t length = utf8_bytes(rest);
    if (length == 0) {
      const auto before = all.substr(0, all.size() - rest.size());
      damaged(fmt::format("{}:{}", path, 1 + std::ranges::count(before, '\n')),
              fmt::format("the byte 0x{:02x} begins no UTF-8 character; the file may be Latin-1 (or Windows-1252): "
                          "`iconv -f LATIN1 -t UTF-8` makes UTF-8 of it",
                          static_cast<unsigned char>(rest[0])));
    }
    rest.remove_prefix(length);
  }
  return text;
}

}  // namespace lopt
