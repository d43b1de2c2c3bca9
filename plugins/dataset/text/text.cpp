#include "characters.h"
#include "own_text.h"

#include <lopt/plugin.h>

#include <mutex>

using namespace lopt;

/// Sequences of a text: {"text": int32 [n, length + 1]}, where each begins with the last character of the one before,
/// so that each character but the first is predicted once. Characters are numbered in the order of their codes. The
/// last part of the text is for testing. A file is mapped, not copied. Without a file: 100,000 characters of the
/// project's own making, sentences of a small grammar.
class Text final : public OnDemandDataset {
 public:
  explicit Text(Settings& s)
      : file_(s.text("file", "").doc("the text; empty: one of lopt's own making")),
        unit_(s.text("unit", "characters").one_of({"characters", "bytes"}).doc("of UTF-8, or of anything")),
        length_(
            s.integer("length", 32).between(1, 1'000'000).unit("characters").doc("that are predicted in a sequence")),
        test_share_(s.real("test_share", 0.1).above(0).below(1).doc("of the text, at its end")) {}

  std::int64_t count(Split split) const override {
    const Characters& text = characters();
    const std::size_t size = split == Split::train ? train_size(text) : text.size() - train_size(text);
    return static_cast<std::int64_t>((size - 1) / static_cast<std::size_t>(length_));
  }
  Types example_types() const override {
    characters();
    return {{"text", Type{DType::int32, {length_ + 1}}}};
  }
  Range range(const std::string&) const override { return {0, characters().alphabet() - 1}; }

  void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const override {
    const Characters& text = characters();
    const std::size_t begin = split == Split::train ? 0 : train_size(text);
    const auto length = static_cast<std::size_t>(length_);
    const std::int64_t sequences = count(split);
    auto to = batch[0].mutable_values<std::int32_t>();
    for (const std::int32_t index : indices) {
      if (index < 0 || index >= sequences)
        throw DataError("the text is asked for sequence " + std::to_string(index) + " of " + std::to_string(sequences));
      text.read(begin + static_cast<std::size_t>(index) * length, to.first(length + 1));
      to = to.subspan(length + 1);
    }
  }

 private:
  std::size_t train_size(const Characters& text) const {
    return text.size() - static_cast<std::size_t>(static_cast<double>(text.size()) * test_share_);
  }

  const Characters& characters() const {
    const std::lock_guard lock(mutex_);
    if (characters_.size() == 0) open();
    return characters_;
  }

  void open() const {
    const std::string name = file_.empty() ? "the text" : file_;
    if (file_.empty())
      own_ = OwnText(100'000).text();
    else
      mapped_ = MappedFile(file_);
    const auto* own = reinterpret_cast<const std::uint8_t*>(own_.data());
    const Characters text(file_.empty() ? std::span(own, own_.size()) : mapped_.bytes(), unit_, name);
    const std::size_t train = train_size(text), sequence = static_cast<std::size_t>(length_) + 1;
    for (const auto& [size, part] : {std::pair(train, "training"), std::pair(text.size() - train, "testing")})
      if (size < sequence)
        throw DataError(name + ": its part for " + part + " has " + std::to_string(size) + " " + unit_ +
                        ", fewer than the " + std::to_string(sequence) + " of one sequence; set `length` to less");
    if (static_cast<double>(text.size()) / static_cast<double>(length_) > 2147483647)
      throw DataError(name + ": has more sequences than can be counted; set `length` to more");
    characters_ = text;
  }

  std::string file_, unit_;
  std::int64_t length_;
  double test_share_;
  mutable std::mutex mutex_;
  mutable std::string own_;
  mutable MappedFile mapped_;
  mutable Characters characters_;
};

LOPT_PLUGIN(Text, "text", {.summary = "Sequences of characters or bytes of any text; by default one that lopt makes"})
