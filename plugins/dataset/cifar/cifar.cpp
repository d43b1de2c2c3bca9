#include <lopt/plugin.h>

#include <filesystem>
#include <fstream>
#include <mutex>

using namespace lopt;

/// The binary files of CIFAR-10 (data_batch_1.bin … data_batch_5.bin, test_batch.bin) or CIFAR-100 (train.bin,
/// test.bin, fine labels) in a folder: {"image": [n, 32, 32, 3] from 0 to 1, "label": [n]}.
class Cifar final : public Dataset {
 public:
  explicit Cifar(Settings& s)
      : folder_(s.text("folder").doc("the folder that holds the .bin files")),
        most_(s.integer("examples", 0).at_least(0).doc("of each split at most; 0: all")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    Values& values = split == Split::train ? train_ : test_;
    if (values.entries().empty()) values = read(split);
    return values;
  }

 private:
  static constexpr std::size_t side = 32, plane = side * side, pixels = 3 * plane;

  Values read(Split split) const {
    const std::filesystem::path folder(folder_);
    const bool hundred = std::filesystem::exists(folder / "train.bin");
    std::vector<std::string> files;
    if (hundred)
      files = {split == Split::train ? "train.bin" : "test.bin"};
    else if (split == Split::test)
      files = {"test_batch.bin"};
    else
      for (int i = 1; i <= 5; ++i) files.push_back("data_batch_" + std::to_string(i) + ".bin");
    std::vector<float> images;
    std::vector<std::int32_t> labels;
    for (const std::string& file : files) add((folder / file).string(), hundred, images, labels);
    const auto n = static_cast<std::int64_t>(labels.size());
    return {{"image", Array({n, side, side, 3}, images)}, {"label", Array({n}, labels)}};
  }

  /// Adds a file's records: 1 label byte (CIFAR-100: coarse and fine), then the planes of red, green and blue.
  void add(const std::string& path, bool hundred, std::vector<float>& images, std::vector<std::int32_t>& labels) const {
    std::ifstream file(path, std::ios::binary);
    if (!file)
      throw DataError(path +
                      ": cannot be read; the folder should hold data_batch_1.bin to data_batch_5.bin and "
                      "test_batch.bin (CIFAR-10), or train.bin and test.bin (CIFAR-100)");
    const std::size_t before = hundred ? 2 : 1, size = std::filesystem::file_size(path);
    if (size == 0 || size % (before + pixels) != 0)
      throw DataError(path + ": has " + std::to_string(size) + " bytes, no multiple of the " +
                      std::to_string(before + pixels) + " of a record: it is cut short at byte " +
                      std::to_string(size - size % (before + pixels)) + ", or no CIFAR file");
    std::vector<unsigned char> record(before + pixels);
    const std::int32_t classes = hundred ? 100 : 10;
    for (std::size_t at = 0; at < size && (most_ == 0 || static_cast<std::int64_t>(labels.size()) < most_);
         at += record.size()) {
      file.read(reinterpret_cast<char*>(record.data()), static_cast<std::streamsize>(record.size()));
      const std::int32_t label = record[before - 1];
      if (label >= classes)
        throw DataError(path + ": byte " + std::to_string(at + before - 1) + " is the label " + std::to_string(label) +
                        ", beyond the " + std::to_string(classes) + " classes");
      labels.push_back(label);
      for (std::size_t i = 0; i < plane; ++i)
        for (std::size_t c = 0; c < 3; ++c)
          images.push_back(static_cast<float>(record[before + c * plane + i]) / 255.0F);
    }
  }

  std::string folder_;
  std::int64_t most_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
};

LOPT_PLUGIN(Cifar, "cifar",
            {.summary = "The binary files of CIFAR-10 or CIFAR-100 in a folder",
             .paper = "Krizhevsky, Learning multiple layers of features from tiny images, 2009",
             .url = "https://www.cs.toronto.edu/~kriz/cifar.html"})
