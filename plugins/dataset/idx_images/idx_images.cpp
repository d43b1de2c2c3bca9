#include "find_files.h"
#include "resize.h"

#include <lopt/plugin.h>

#include <mutex>

using namespace lopt;

/// Images and labels in the files of MNIST and its kin (IDX, plain or gzip, whatever the names say): train-images,
/// train-labels, t10k-images, t10k-labels. Values / 255.
class IdxImages final : public Dataset {
 public:
  explicit IdxImages(Settings& s)
      : folder_(s.text("folder").doc("the folder that holds the four IDX files")),
        set_(s.text("set", "").doc("the name before `train` and `t10k`, where a folder holds several sets")),
        size_(s.integer("size", 8).between(1, 1024).unit("pixels").doc("width and height that images are resized to")),
        classes_(s.integer("classes", 10).between(2, 256).doc("number of classes; a label beyond is an error")) {}

  const Values& examples(Split split) const override {
    std::lock_guard lock(mutex_);
    Values& values = split == Split::train ? train_ : test_;
    if (values.entries().empty()) values = read(split == Split::train ? "train" : "test");
    return values;
  }

 private:
  Values read(const std::string& part) const {
    const std::string image_file = find_image_file(folder_, set_, part, "images"),
                      label_file = find_image_file(folder_, set_, part, "labels");
    const Array images = read_idx(image_file), labels = read_idx(label_file);
    if (images.shape().size() != 3 || images.size() == 0)
      throw DataError(image_file + ": has the shape " + to_text(images.shape()) +
                      "; [images, height, width] was expected");
    if (labels.shape().size() != 1)
      throw DataError(label_file + ": has the shape " + to_text(labels.shape()) + "; [images] was expected");
    if (labels.shape()[0] != images.shape()[0])
      throw DataError(label_file + ": has " + std::to_string(labels.size()) + " labels, but " + image_file + " has " +
                      std::to_string(images.shape()[0]) + " images");
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels.values<std::int32_t>()[i] >= classes_)
        throw DataError(label_file + ": label " + std::to_string(i) + " is " +
                        std::to_string(labels.values<std::int32_t>()[i]) + ", beyond the " + std::to_string(classes_) +
                        " classes");
    const auto pixels = images.values<std::int32_t>();
    const auto count = static_cast<std::size_t>(images.shape()[0]), size = static_cast<std::size_t>(size_);
    std::vector<float> resized =
        resize_bilinear({pixels.begin(), pixels.end()}, count, static_cast<std::size_t>(images.shape()[1]),
                        static_cast<std::size_t>(images.shape()[2]), size);
    for (float& x : resized) x /= 255.0F;
    return {{"image", Array({images.shape()[0], size_ * size_}, resized)}, {"label", labels}};
  }

  std::string folder_, set_;
  std::int64_t size_;
  int classes_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
};

LOPT_PLUGIN(IdxImages, "idx_images",
            {.summary = "Images of a folder in MNIST's format (IDX)", .url = "http://yann.lecun.com/exdb/mnist"})
