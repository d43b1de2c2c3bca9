#include "../images.h"

#include <lopt/plugin.h>

using namespace lopt;

/// A task that is trained on images that are moved by up to `shift` pixels, mirrored with probability ½ where `flip`,
/// and have a square of `cut_out` pixels set to 0 at a random place; the same for all images of a batch, drawn from the
/// step's key. Evaluations are on the images as they are.
class AugmentedImages final : public TaskWrapper {
 public:
  explicit AugmentedImages(Settings& s)
      : TaskWrapper(s.component<Task>("task").doc("what is trained")),
        shift_(s.integer("shift", 1).between(0, 1024).unit("pixels").doc("in each direction at most")),
        flip_(s.boolean("flip", false).doc("mirror left and right in half of the steps")),
        cut_out_(s.integer("cut_out", 0).between(0, 1024).unit("pixels").doc("width and height of what is cut out")) {}

  TrainingLoss training_loss(const Tree& params, const Tree& state, const Tree& batch, Key key) const override {
    const Batches batches = this->batches();
    if (!batches.dataset || !batch.contains("image"))
      throw ShapeError("augmented_images: the task has no batches with an `image`");
    Shape shape = image_shape(*batches.dataset, "augmented_images");
    const Tensor flat = batch["image"];
    shape.insert(shape.begin(), flat.dim(0));
    Tensor image = reshape(flat, shape);
    const std::vector<Key> keys = split(key, 5);
    image = moved(moved(image, keys[1], 1), keys[2], 2);
    if (flip_) {
      const Tensor mirrored = gather(image, static_cast<int>(shape[2]) - 1 - arange(shape[2]), 2);
      image = where(uniform(keys[3], {}) < 0.5, mirrored, image);
    }
    if (cut_out_ > 0) {
      const Tensor rows = hole(fold_in(keys[4], 0), shape[1]), columns = hole(fold_in(keys[4], 1), shape[2]);
      image = image * (1 - expand_dims(expand_dims(rows, 1) * columns, 2));
    }
    Tree augmented = batch;
    augmented.set("image", reshape(image, flat.shape()));
    return inner().training_loss(params, state, augmented, keys[0]);
  }

 private:
  /// Along an axis by −shift … shift pixels; 0 where nothing comes from.
  Tensor moved(const Tensor& image, const Key& key, int axis) const {
    if (shift_ == 0) return image;
    const std::int64_t length = image.dim(axis);
    Shape before(4, 0);
    before[static_cast<std::size_t>(axis)] = shift_;
    const Tensor padded = pad(image, before, before), start = randint(key, {}, 0, 2 * shift_ + 1);
    return gather(padded, arange(length) + start, axis);
  }
  /// 1 in `cut_out` places from a random one on, 0 elsewhere.
  Tensor hole(const Key& key, std::int64_t length) const {
    const Tensor place = arange(length) - randint(key, {}, 0, static_cast<std::int32_t>(length));
    return convert((place >= 0) & (place < cut_out_), DType::float32);
  }

  int shift_;
  bool flip_;
  int cut_out_;
};

LOPT_PLUGIN(AugmentedImages, "augmented_images",
            {.summary = "Around a task on images: moved, mirrored and cut out while it is trained",
             .paper = "DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, 2017",
             .url = "https://arxiv.org/abs/1708.04552"})
