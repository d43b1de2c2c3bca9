#pragma once
// A text of the project's own making: sentences of a small grammar, the same on every machine.

#include <lopt/random.h>

#include <array>
#include <string>

namespace lopt {

class OwnText {
 public:
  /// At least `size` characters.
  explicit OwnText(std::size_t size) {
    while (text_.size() < size) paragraph();
  }
  const std::string& text() const { return text_; }

 private:
  template <std::size_t n>
  const char* one_of(const std::array<const char*, n>& words) {
    return words[next() % n];
  }
  std::uint32_t next() {
    if (place_ == numbers_.size()) {
      const Array bits = random_bits(fold_in(HostKey::from_seed(1998), block_++), {1024});
      const auto values = bits.values<std::uint32_t>();
      numbers_.assign(values.begin(), values.end());
      place_ = 0;
    }
    return numbers_[place_++] >> 8U;
  }
  bool chance(std::uint32_t percent) { return next() % 100 < percent; }

  static constexpr std::array nouns{"mill",   "river",  "baker", "fox",    "lantern", "bridge",
                                    "sailor", "garden", "stone", "crow",   "letter",  "clock",
                                    "child",  "winter", "horse", "window", "market",  "song"};
  static constexpr std::array adjectives{"old",     "quiet",  "grey",   "narrow", "little",
                                         "patient", "hungry", "bright", "slow"};
  static constexpr std::array verbs{"watches", "finds", "carries", "follows", "leaves", "remembers", "hides", "counts"};
  static constexpr std::array many_verbs{"watch", "find", "carry", "follow", "leave", "remember", "hide", "count"};
  static constexpr std::array counts{"two", "three", "four", "five", "seven", "nine", "twelve"};
  static constexpr std::array places{"by the sea", "under the hill", "near the church", "behind the wall",
                                     "at noon",    "after the rain", "in the morning",  "before dawn"};
  static constexpr std::array links{"and", "but", "while", "because", "until"};

  void noun_phrase(bool& many) {
    many = chance(30);
    text_ += many ? one_of(counts) : chance(70) ? "the" : "a certain";
    if (chance(45)) (text_ += ' ') += one_of(adjectives);
    (text_ += ' ') += one_of(nouns);
    if (many) text_ += 's';
  }
  void clause() {
    bool many = false, ignored = false;
    noun_phrase(many);
    (text_ += ' ') += many ? one_of(many_verbs) : one_of(verbs);
    text_ += ' ';
    noun_phrase(ignored);
    if (chance(40)) (text_ += ' ') += one_of(places);
  }
  void sentence() {
    const std::size_t start = text_.size();
    clause();
    if (chance(40)) {
      ((text_ += ", ") += one_of(links)) += ' ';
      clause();
    }
    text_[start] = static_cast<char>(text_[start] - 'a' + 'A');
    text_ += chance(10) ? "? " : ". ";
  }
  void paragraph() {
    for (std::uint32_t left = 3 + next() % 5; left > 0; --left) sentence();
    text_.back() = '\n';
  }

  std::string text_;
  std::vector<std::uint32_t> numbers_;
  std::size_t place_ = 0;
  std::uint32_t block_ = 0;
};

}  // namespace lopt
