#include <lopt/plugin.h>

#include <mutex>

using namespace lopt;

/// Images from one npz file and batches from another: the runs of another program, repeated.
/// `data` holds images (uint8 [n, features], used as value/255) and labels [n]; `batches` holds batches, indices of
/// shape [steps, batch], [meta-steps, steps, batch] or [meta-steps, tasks, steps, batch]. Behind the last, the first
/// follows.
class Replay final : public Dataset {
 public:
  explicit Replay(Settings& s)
      : data_(s.text("data").doc("npz file with images and labels")),
        batches_(s.text("batches").doc("npz file with the indices of each batch")) {}

  const Values& examples(Split) const override {
    std::lock_guard lock(mutex_);
    if (values_.entries().empty()) read();
    return values_;
  }

  void batch(HostKey, std::uint32_t stream, std::int64_t step, std::span<std::int32_t> to) const override {
    examples(Split::train);
    const Shape& shape = indices_.shape();
    const std::size_t rank = shape.size();
    const std::int64_t size = shape[rank - 1], steps = shape[rank - 2], tasks = rank == 4 ? shape[1] : 1,
                       meta_steps = rank > 2 ? shape[0] : 1;
    if (size != static_cast<std::int64_t>(to.size()))
      throw DataError(batches_ + ": has batches of " + std::to_string(size) + ", the task takes " +
                      std::to_string(to.size()));
    if (rank == 4 && stream >= tasks)
      throw DataError(batches_ + ": has batches for " + std::to_string(tasks) + " tasks; task " +
                      std::to_string(stream) + " was asked for");
    const std::int64_t block = step / steps % meta_steps,
                       row = (block * tasks + (rank == 4 ? stream : 0)) * steps + step % steps;
    const auto from = indices_.values<std::int32_t>().subspan(static_cast<std::size_t>(row * size), to.size());
    std::copy(from.begin(), from.end(), to.begin());
  }

 private:
  static Array integers(const Values& npz, const std::string& file, const std::string& name) {
    if (!npz.contains(name)) throw DataError(file + ": has no array '" + name + "'");
    const Array array = npz[name];
    if (array.dtype() != DType::int32)
      throw DataError(file + ": '" + name + "' is " + std::string(name_of(array.dtype())) + "; integers were expected");
    return array;
  }

  void read() const {
    const Values data = read_npz(data_), batches = read_npz(batches_);
    const Array images = integers(data, data_, "images"), labels = integers(data, data_, "labels");
    if (images.shape().size() != 2 || labels.shape() != Shape{images.shape()[0]} || images.size() == 0)
      throw DataError(data_ + ": has images " + to_text(images.shape()) + " and labels " + to_text(labels.shape()) +
                      "; [n, features] and [n] were expected");
    indices_ = integers(batches, batches_, "batches");
    if (indices_.shape().size() < 2 || indices_.shape().size() > 4 || indices_.size() == 0)
      throw DataError(batches_ + ": has batches of shape " + to_text(indices_.shape()) +
                      "; [steps, batch], [meta-steps, steps, batch] or [meta-steps, tasks, steps, batch] was expected");
    for (std::int32_t index : indices_.values<std::int32_t>())
      if (index < 0 || index >= images.shape()[0])
        throw DataError(batches_ + ": asks for image " + std::to_string(index) + " of " +
                        std::to_string(images.shape()[0]));
    Array scaled(DType::float32, images.shape());
    for (std::size_t i = 0; i < scaled.size(); ++i)
      scaled.mutable_values<float>()[i] = static_cast<float>(images.values<std::int32_t>()[i]) / 255.0F;
    values_ = {{"image", scaled}, {"label", labels}};
  }

  std::string data_, batches_;
  mutable std::mutex mutex_;
  mutable Values values_;
  mutable Array indices_;
};

LOPT_PLUGIN(Replay, "replay", {.summary = "Images and batch indices from npz files"})
