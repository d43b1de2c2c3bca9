#include "own_text.h"

#include <lopt/plugin.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

using namespace lopt;

namespace {

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError(path + ": cannot be read: there is no such file, or it may not be opened");
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (bytes.str().size() > (std::size_t{1} << 30U)) throw DataError(path + ": it is larger than 1 GB");
  return std::move(bytes).str();
}

/// The characters of UTF-8 as code points. Throws DataError at the first byte that is none.
std::vector<std::uint32_t> characters_of(const std::string& bytes, const std::string& name) {
  std::vector<std::uint32_t> result;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    std::uint32_t code = length == 1 ? first : first & (0x7fU >> length);
    bool whole = length > 0 && at + length <= bytes.size();
    for (std::size_t i = 1; whole && i < length; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      whole = (next & 0xc0U) == 0x80U;
      code = code << 6U | (next & 0x3fU);
    }
    if (!whole)
      throw DataError(name + ": byte " + std::to_string(at) +
                      " begins no UTF-8 character; `unit: bytes` reads any file");
    result.push_back(code);
    at += length;
  }
  return result;
}

}  // namespace

/// Sequences of a text: {"text": int32 [n, length + 1]}, where each begins with the last character of the one before,
/// so that each character but the first is predicted once. Characters are numbered in the order of their codes. The
/// last part of the text is for testing. Without a file: 100,000 characters of the project's own making, sentences of a
/// small grammar.
class Text final : public Dataset {
 public:
  explicit Text(Settings& s)
      : file_(s.text("file", "").doc("the text; empty: one of lopt's own making")),
        unit_(s.text("unit", "characters").one_of({"characters", "bytes"}).doc("of UTF-8, or of anything")),
        length_(
            s.integer("length", 32).between(1, 1'000'000).unit("characters").doc("that are predicted in a sequence")),
        test_share_(s.real("test_share", 0.1).above(0).below(1).doc("of the text, at its end")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    if (train_.entries().empty()) read();
    return split == Split::train ? train_ : test_;
  }

 private:
  void read() const {
    const std::string bytes = file_.empty() ? OwnText(100'000).text() : bytes_of(file_),
                      name = file_.empty() ? "the text" : file_;
    std::vector<std::uint32_t> codes;
    if (unit_ == "bytes")
      for (const char byte : bytes) codes.push_back(static_cast<unsigned char>(byte));
    else
      codes = characters_of(bytes, name);
    std::map<std::uint32_t, std::int32_t> numbers;
    for (const std::uint32_t code : codes) numbers.emplace(code, 0);
    std::int32_t next = 0;
    for (auto& [code, number] : numbers) number = next++;
    const auto test = static_cast<std::size_t>(static_cast<double>(codes.size()) * test_share_),
               train = codes.size() - test;
    std::vector<std::int32_t> text;
    for (const std::uint32_t code : codes) text.push_back(numbers[code]);
    train_ = sequences(std::span(text).first(train), name, "for training");
    test_ = sequences(std::span(text).subspan(train), name, "for testing");
  }

  Values sequences(std::span<const std::int32_t> text, const std::string& name, const char* part) const {
    const auto length = static_cast<std::size_t>(length_);
    if (text.size() <= length)
      throw DataError(name + ": its part " + part + " has " + std::to_string(text.size()) + " " + unit_ +
                      ", fewer than the " + std::to_string(length + 1) + " of one sequence; set `length` to less");
    const std::size_t count = (text.size() - 1) / length;
    std::vector<std::int32_t> rows;
    rows.reserve(count * (length + 1));
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = text.subspan(i * length, length + 1);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    return {{"text", Array({static_cast<std::int64_t>(count), length_ + 1}, rows)}};
  }

  std::string file_, unit_;
  std::int64_t length_;
  double test_share_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
};

LOPT_PLUGIN(Text, "text", {.summary = "Sequences of characters or bytes of any text; by default one that lopt makes"})
