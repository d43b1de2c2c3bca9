#include <lopt/plugin.h>

#include <algorithm>

using namespace lopt;

extern const unsigned char digits_images[];
extern const unsigned long digits_images_size;
extern const unsigned char digits_labels[];
extern const unsigned long digits_labels_size;

/// 1,797 real handwritten digits of 8×8 pixels, inside this library. The first 1,500 are for training.
/// E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, DOI 10.24432/C50P49, CC BY 4.0.
class Digits final : public Dataset {
 public:
  explicit Digits(Settings&) {
    const Array images = read_idx({digits_images, digits_images_size}, "digits images");
    const Array labels = read_idx({digits_labels, digits_labels_size}, "digits labels");
    train_ = part(images, labels, 0, train_count);
    test_ = part(images, labels, train_count, labels.size());
  }

  const Values& examples(Split split) const override { return split == Split::train ? train_ : test_; }

 private:
  static constexpr std::size_t train_count = 1500, pixels = 64;

  /// Examples [from, to), their values from 0 … 16 to 0 … 1.
  static Values part(const Array& images, const Array& labels, std::size_t from, std::size_t to) {
    const auto count = static_cast<std::int64_t>(to - from);
    Array image(DType::float32, {count, pixels}), label(DType::int32, {count});
    std::ranges::transform(images.values<std::int32_t>().subspan(from * pixels, (to - from) * pixels),
                           image.mutable_values<float>().begin(),
                           [](std::int32_t x) { return static_cast<float>(x) / 16.0F; });
    std::ranges::copy(labels.values<std::int32_t>().subspan(from, to - from),
                      label.mutable_values<std::int32_t>().begin());
    return {{"image", image}, {"label", label}};
  }

  Values train_, test_;
};

LOPT_PLUGIN(Digits, "digits",
            {.summary = "1,797 handwritten digits of 8×8 pixels, shipped with lopt",
             .paper = "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, DOI 10.24432/C50P49",
             .licence = "CC BY 4.0"})
