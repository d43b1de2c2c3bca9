#include <lopt/plugin.h>

#include <filesystem>
#include <mutex>

using namespace lopt;

/// The binary files of CIFAR-10 (data_batch_1.bin … data_batch_5.bin, test_batch.bin) or CIFAR-100 (train.bin,
/// test.bin, fine labels) in a folder, mapped, not copied: {"image": [n, 32, 32, 3] from 0 to 1, "label": [n]}.
class Cifar final : public OnDemandDataset {
 public:
  explicit Cifar(Settings& s)
      : folder_(s.text("folder").doc("the folder that holds the .bin files")),
        most_(s.integer("examples", 0).at_least(0).doc("of each split at most; 0: all")) {}

  std::int64_t count(Split split) const override {
    const auto all = static_cast<std::int64_t>(records(split).size());
    return most_ == 0 ? all : std::min(all, most_);
  }
  Types example_types() const override {
    records(Split::train);
    return {{"image", Type{DType::float32, {side, side, 3}}}, {"label", Type{DType::int32, {}}}};
  }
  Range range(const std::string& name) const override {
    Range range{};
    if (name != "label") return range;
    for (const Split split : {Split::train, Split::test})
      for (const std::uint8_t* planes : std::span(records(split)).first(static_cast<std::size_t>(count(split))))
        range.most = std::max<std::int64_t>(range.most, planes[-1]);
    return range;
  }
  void rows(Split split, std::span<const std::int32_t> indices, std::vector<Array>& batch) const override {
    const std::vector<const std::uint8_t*>& all = records(split);
    const std::int64_t examples = count(split);
    float* image = batch[0].mutable_values<float>().data();
    std::int32_t* label = batch[1].mutable_values<std::int32_t>().data();
    for (const std::int32_t index : indices) {
      if (index < 0 || index >= examples)
        throw DataError(folder_ + ": is asked for example " + std::to_string(index) + " of " +
                        std::to_string(examples));
      const std::uint8_t* planes = all[static_cast<std::size_t>(index)];
      *label++ = planes[-1];
      for (std::size_t i = 0; i < plane; ++i)
        for (std::size_t c = 0; c < 3; ++c) *image++ = static_cast<float>(planes[c * plane + i]) / 255.0F;
    }
  }

 private:
  static constexpr std::size_t side = 32, plane = side * side, pixels = 3 * plane;

  /// Where each example's pixels begin, behind its label.
  const std::vector<const std::uint8_t*>& records(Split split) const {
    const std::lock_guard lock(mutex_);
    std::vector<const std::uint8_t*>& places = places_[static_cast<std::size_t>(split)];
    if (!places.empty()) return places;
    const std::filesystem::path folder(folder_);
    const bool hundred = std::filesystem::exists(folder / "train.bin");
    std::vector<std::string> files;
    if (hundred)
      files = {split == Split::train ? "train.bin" : "test.bin"};
    else if (split == Split::test)
      files = {"test_batch.bin"};
    else
      for (int i = 1; i <= 5; ++i) files.push_back("data_batch_" + std::to_string(i) + ".bin");
    std::vector<const std::uint8_t*> found;
    for (const std::string& file : files) add((folder / file).string(), hundred, found);
    return places = std::move(found);
  }

  /// Adds a file's records: 1 label byte (CIFAR-100: coarse and fine), then the planes of red, green and blue.
  void add(const std::string& path, bool hundred, std::vector<const std::uint8_t*>& found) const {
    if (!std::filesystem::exists(path))
      throw DataError(path +
                      ": cannot be read; the folder should hold data_batch_1.bin to data_batch_5.bin and "
                      "test_batch.bin (CIFAR-10), or train.bin and test.bin (CIFAR-100)");
    const MappedFile file(path);
    const std::size_t before = hundred ? 2 : 1, size = file.bytes().size();
    if (size == 0 || size % (before + pixels) != 0)
      throw DataError(path + ": has " + std::to_string(size) + " bytes, no multiple of the " +
                      std::to_string(before + pixels) + " of a record: it is cut short at byte " +
                      std::to_string(size - size % (before + pixels)) + ", or no CIFAR file");
    const std::int32_t classes = hundred ? 100 : 10;
    for (std::size_t at = 0; at < size; at += before + pixels) {
      const std::uint8_t* planes = file.bytes().data() + at + before;
      if (planes[-1] >= classes)
        throw DataError(path + ": byte " + std::to_string(at + before - 1) + " is the label " +
                        std::to_string(planes[-1]) + ", beyond the " + std::to_string(classes) + " classes");
      found.push_back(planes);
    }
    files_.push_back(file);
  }

  std::string folder_;
  std::int64_t most_;
  mutable std::mutex mutex_;
  mutable std::vector<MappedFile> files_;
  mutable std::vector<const std::uint8_t*> places_[2];
};

LOPT_PLUGIN(Cifar, "cifar",
            {.summary = "The binary files of CIFAR-10 or CIFAR-100 in a folder",
             .paper = "Krizhevsky, Learning multiple layers of features from tiny images, 2009",
             .url = "https://www.cs.toronto.edu/~kriz/cifar.html"})
