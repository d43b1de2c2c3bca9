#include "array_names.h"
#include "labels.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <mutex>

using namespace lopt;
namespace fs = std::filesystem;

namespace {

/// Arrays called NAME/… below NAME.
void set_nested(Values& values, const std::string& name, const Array& array) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return values.set(name, array);
  const std::string before = name.substr(0, slash);
  Values below = values.contains(before) ? values[before] : Values();
  set_nested(below, name.substr(slash + 1), array);
  values.set(before, below);
}

/// As float32, one divided by `over`.
Array as_real(const Array& array, float over) {
  Array result(DType::float32, array.shape());
  auto to = result.mutable_values<float>();
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = (array.dtype() == DType::float32 ? array.values<float>()[i]
             : array.dtype() == DType::int32 ? static_cast<float>(array.values<std::int32_t>()[i])
                                             : static_cast<float>(array.values<std::uint32_t>()[i])) /
            over;
  return result;
}

/// An array's name for a sentence; quotes where it would not look like one.
std::string printed(const std::string& name) {
  const bool plain =
      std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '/' || c == '-'; });
  return plain ? name : in_quotes(name);
}

/// Images [n, channels, height, width], as PyTorch has them: one or three in front of two equal lengths that are
/// larger.
bool has_channels_first(const Shape& shape) {
  return shape.size() == 4 && (shape[1] == 1 || shape[1] == 3) && shape[2] == shape[3] && shape[3] > 4;
}
Array with_channels_last(const Array& images) {
  const Shape& s = images.shape();
  Array result(DType::float32, {s[0], s[2], s[3], s[1]});
  const auto from = images.values<float>();
  const auto to = result.mutable_values<float>();
  const auto channels = static_cast<std::size_t>(s[1]), pixels = static_cast<std::size_t>(s[2] * s[3]);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::size_t channel = i % channels, pixel = i / channels % pixels, image = i / (channels * pixels);
    to[i] = from[(image * channels + channel) * pixels + pixel];
  }
  return result;
}

/// "[3, 7]": where element `index` of a row is.
std::string place(const Shape& shape, std::size_t row, std::size_t index) {
  std::string text;
  for (std::size_t k = shape.size(); k-- > 1; index /= static_cast<std::size_t>(shape[k]))
    text = ", " + std::to_string(index % static_cast<std::size_t>(shape[k])) + text;
  return "[" + std::to_string(row) + text + "]";
}

}  // namespace

/// Arrays of NumPy files whose first dimension is the example, as they are found:
///
///   image, label; x, y; text; any other names, which stay    without splits
///   train/image, test/image; x_train, y_train, x_test, …     Keras's mnist.npz
///   train_images, train_labels, val_images, test_images, …   MedMNIST
///
/// from a .npz file, a folder of .npy files, or a .npy file and those beside it that are named as of one set. An input
/// (image, x) becomes float32, uint8 in [0, 1]; labels become classes 0 … k − 1 in their order. Classes make {"image",
/// "label"} of an input and its y, numbers {"x", "y"}. Without splits the rows are shuffled, and the last share is for
/// testing.
class Npz final : public Dataset {
 public:
  explicit Npz(Settings& s)
      : file_(s.text("file").doc("a .npz file, a .npy file, or a folder of .npy files")),
        test_share_(s.real("test_share", 0.1).above(0).below(1).doc("of the examples, where the file has no splits")),
        shuffle_(s.boolean("shuffle", true).doc("before they are split; false: the last examples are for testing")),
        y_(s.text("y", "auto")
               .one_of({"auto", "classes", "numbers"})
               .doc("what an array y holds; auto: classes where it is bool, text, one-hot, or whole numbers that are "
                    "few and repeat")),
        missing_(s.text("missing", "refuse")
                     .one_of({"refuse", "drop", "mean"})
                     .doc("what becomes of NaN and infinity: an error, the example left out, the training examples' "
                          "mean")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    if (train_.entries().empty()) {
      try {
        read();
      } catch (const DataError&) {
        throw;
      } catch (const std::bad_alloc&) {
        throw;
      } catch (const std::exception& error) {
        throw DataError(file_ + ": " + error.what());
      }
    }
    return split == Split::train ? train_ : test_;
  }
  std::string source() const override { return file_; }
  std::vector<std::string> notes() const override {
    examples(Split::train);
    return notes_;
  }

 private:
  struct Found {
    ArrayName name;
    StoredArray array;
    std::string file, called;  // in errors: its file, and its name there
  };

  std::vector<Found> find() const {
    std::vector<Found> found;
    const auto add_file = [&](const fs::path& path) {
      const std::string stem = path.stem().string();
      found.push_back({named_file(stem), read_stored_arrays(path.string()).at(0), path.string(), printed(stem)});
    };
    if (!file_.ends_with(".npy") && !fs::is_directory(file_)) {
      for (StoredArray& array : read_stored_arrays(file_)) {
        const std::string name = array.name;
        found.push_back({named_array(name), std::move(array), file_, printed(name)});
      }
      return found;
    }
    const bool whole_folder = fs::is_directory(file_);
    const ArrayName wanted = named_file(fs::path(file_).stem().string());
    if (!whole_folder) add_file(file_);
    const fs::path folder = whole_folder ? fs::path(file_) : fs::path(file_).parent_path();
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder))
      if (entry.path().extension() == ".npy") files.push_back(entry.path());
    std::ranges::sort(files);
    for (const fs::path& path : files) {
      const ArrayName name = named_file(path.stem().string());
      const bool of_set = wanted.role != Role::other && name.role != Role::other && name.prefix == wanted.prefix;
      if (whole_folder || (of_set && path.filename() != fs::path(file_).filename())) add_file(path);
    }
    if (found.empty()) throw DataError(file_ + ": is a folder without .npy files");
    return found;
  }

  void read() const {
    std::vector<Found> found = find();
    const auto has = [&](Part part) {
      return std::ranges::any_of(found, [&](const Found& one) { return one.name.part == part; });
    };
    Part test = Part::test;
    if (has(Part::train) && !has(Part::test) && has(Part::validation)) {
      test = Part::validation;
      notes_.emplace_back("The validation examples are for testing, since there are no others.");
    } else if (has(Part::validation)) {
      notes_.emplace_back("The validation examples are left out.");
    }
    const bool has_splits = has(Part::train) || has(test);
    if (has_splits && !(has(Part::train) && has(test)))
      throw DataError(file_ + ": has arrays of the split '" + (has(Part::train) ? "train" : "test") + "' alone");
    std::erase_if(found, [&](const Found& one) {
      return has_splits && one.name.part == Part::validation && test != one.name.part;
    });
    for (const Found& one : found) require_rows(one);
    if (has_splits && has(Part::whole)) throw DataError(called(found, Part::whole) + " belongs to no split");
    name_roles(found);
    number_labels(found);
    if (!has_splits) return split(values_of(found, Part::whole));
    train_ = values_of(found, Part::train);
    test_ = values_of(found, test);
    require_same_types();
    take_missing(train_, train_, "train/");
    take_missing(test_, train_, "test/");
  }

  static std::string called(const std::vector<Found>& found, Part part) {
    const Found& one = *std::ranges::find_if(found, [&](const Found& each) { return each.name.part == part; });
    return one.file + ": " + one.called;
  }

  static void require_rows(const Found& one) {
    if (one.array.shape.empty() || element_count(one.array.shape) == 0)
      throw DataError(one.file + ": " + one.called + " has the shape " + to_text(one.array.shape) +
                      "; the first dimension should be the example");
  }

  /// Whether y holds classes, in each split: one may hold few whole numbers by chance.
  bool finds_classes(const std::vector<Found>& found) const {
    return y_ == "classes" || (y_ == "auto" && std::ranges::all_of(found, [](const Found& one) {
                                 return one.name.role != Role::target || holds_classes(one.array);
                               }));
  }

  /// Gives inputs, classes and numbers the names that tasks know them by.
  void name_roles(std::vector<Found>& found) const {
    const bool classes = finds_classes(found);
    for (Found& one : found)
      if (one.name.role == Role::target && classes) one.name = {one.name.part, Role::label, "label", {}};
    const auto has = [&](Role role) {
      return std::ranges::any_of(found, [&](const Found& one) { return one.name.role == role; });
    };
    if (!has(Role::label) && !has(Role::target)) return;
    for (Found& one : found)
      if (one.name.role == Role::input) one.name.name = has(Role::label) ? "image" : "x";
  }

  /// Makes classes of labels, of all splits together; one that is missing is −1, where such examples are left out.
  void number_labels(std::vector<Found>& found) const {
    std::vector<std::pair<Found*, std::vector<std::string>>> labels;
    std::vector<std::string> names;
    for (Found& one : found) {
      if (one.name.role != Role::label) continue;
      std::string why;
      auto texts = labels_of(one.array, why);
      const bool of_parts = one.array.shape.size() > 1 && one.array.kind != StoredArray::Kind::text;
      if (!texts && of_parts) return;  // a label for each part of an example: who wants them knows what they are
      if (!texts) throw DataError(one.file + ": " + one.called + " " + why);
      const auto gap = std::ranges::find(*texts, "");
      if (gap != texts->end() && missing_ != "drop")
        throw DataError(one.file + ": " + one.called + " has no label in row " + std::to_string(gap - texts->begin()) +
                        "; `missing: drop` leaves such examples out");
      std::ranges::copy_if(*texts, std::back_inserter(names), [](const std::string& text) { return !text.empty(); });
      labels.emplace_back(&one, std::move(*texts));
    }
    if (labels.empty()) return;
    const Classes classes = classes_of(names);
    auto next = classes.labels.begin();
    for (auto& [one, texts] : labels) {
      std::vector<std::int32_t> numbers;
      for (const std::string& text : texts) numbers.push_back(text.empty() ? -1 : *next++);
      one->array.numbers = Array({std::ssize(numbers)}, numbers);
      one->array.kind = StoredArray::Kind::integer;
    }
    notes_.push_back(to_text(classes) + ".");
  }

  Values values_of(const std::vector<Found>& found, Part part) const {
    Values result{std::vector<Values::Entry>{}};
    const Found* first = nullptr;
    for (const Found& one : found) {
      if (one.name.part != part) continue;
      if (!first) first = &one;
      if (one.array.shape[0] != first->array.shape[0])
        throw DataError(one.file + ": " + one.called + " has " + std::to_string(one.array.shape[0]) +
                        " examples, but " + first->called + " has " + std::to_string(first->array.shape[0]));
      if (one.array.kind == StoredArray::Kind::text && one.name.role != Role::label)
        throw DataError(one.file + ": " + one.called + " holds text; numbers are wanted");
      if (result.contains(one.name.name))
        throw DataError(one.file + ": " + one.called + " is a second array for what lopt calls '" + one.name.name +
                        "'");
      set_nested(result, one.name.name, numbers_of(one));
    }
    if (result.leaf_count() == 0) throw DataError(file_ + ": has no arrays");
    return result;
  }

  Array numbers_of(const Found& one) const {
    const Array& numbers = one.array.numbers;
    const Shape& shape = numbers.shape();
    if (one.name.role == Role::input) {
      const Array real = as_real(numbers, one.array.kind == StoredArray::Kind::byte ? 255.0F : 1.0F);
      if (has_channels_first(shape)) {
        notes_.push_back("The images of " + one.called + ", " + to_text(shape) +
                         ", are taken as [n, channels, height, width].");
        return with_channels_last(real);
      }
      return shape.size() == 1 ? real.reshaped({shape[0], 1}) : real;
    }
    if (one.name.role == Role::target) {
      const Array real = as_real(numbers, 1);
      return shape.size() == 2 && shape[1] == 1 ? real.reshaped({shape[0]}) : real;
    }
    return numbers;
  }

  void split(Values whole) const {
    if (missing_ != "mean") take_missing(whole, whole, "");  // where an element is, in the rows of the file
    // Sequences of one text follow each other.
    const bool shuffle = shuffle_ && !whole.contains("text");
    const RowSplit rows = split_rows(whole.leaves().front().shape()[0], test_share_, shuffle, file_);
    train_ = rows_of(whole, rows.train);
    test_ = rows_of(whole, rows.test);
    take_missing(train_, train_, "");
    take_missing(test_, train_, "");
  }

  /// Elements that are not finite: refused, or their rows left out, or replaced by the mean of the others in `by`.
  void take_missing(Values& values, const Values& by, const std::string& prefix) const {
    const std::vector<std::string> names = values.paths();
    std::vector<Array> leaves = values.leaves();
    const auto rows = static_cast<std::size_t>(leaves.front().shape()[0]);
    std::vector<bool> bad(rows, false);
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) find_missing(leaves[leaf], names[leaf], prefix, bad);
    const auto count = static_cast<std::size_t>(std::ranges::count(bad, true));
    if (count == 0) return;
    const std::string of_all = std::to_string(count) + " of " + std::to_string(rows) + " examples";
    if (missing_ == "drop") {
      if (count == rows) throw DataError(file_ + ": " + prefix + names[0] + " has no example without missing numbers");
      std::vector<std::int32_t> kept;
      for (std::size_t row = 0; row < rows; ++row)
        if (!bad[row]) kept.push_back(static_cast<std::int32_t>(row));
      notes_.push_back(of_all + " were left out: numbers are missing.");
      values = rows_of(values, kept);
      return;
    }
    const std::vector<Array> means = by.leaves();
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf)
      if (leaves[leaf].dtype() == DType::float32) fill(leaves[leaf], means[leaf], prefix + names[leaf]);
    values = values.with_leaves<Array>(leaves);
    notes_.push_back("Numbers are missing in " + of_all + ": replaced by means.");
  }

  /// Notes the rows of an array in which an element is missing. Throws where none may be.
  void find_missing(const Array& array, const std::string& name, const std::string& prefix,
                    std::vector<bool>& bad) const {
    const std::size_t width = array.size() / bad.size();
    if (name == "label" && array.dtype() == DType::int32 && missing_ == "drop" && width == 1)
      for (std::size_t row = 0; row < bad.size(); ++row)
        if (array.values<std::int32_t>()[row] < 0) bad[row] = true;
    if (array.dtype() != DType::float32) return;
    const auto elements = array.values<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (std::isfinite(elements[i])) continue;
      const std::string where = file_ + ": " + prefix + name + place(array.shape(), i / width, i % width) + " is " +
                                (std::isnan(elements[i]) ? "NaN" : "infinite");
      if (missing_ == "refuse")
        throw DataError(where +
                        "; `missing: drop` leaves such examples out, `missing: mean` takes the mean of the others");
      if (missing_ == "mean" && name == "y")
        throw DataError(where + ", and the mean of others is no target; `missing: drop` leaves such examples out");
      bad[i / width] = true;
    }
  }

  void fill(Array& array, const Array& by, const std::string& name) const {
    const std::size_t rows = static_cast<std::size_t>(by.shape()[0]), width = by.size() / rows;
    const auto elements = array.mutable_values<float>();
    for (std::size_t k = 0; k < width; ++k) {
      double sum = 0, count = 0;
      for (std::size_t row = 0; row < rows; ++row)
        if (const float x = by.values<float>()[row * width + k]; std::isfinite(x))
          sum += static_cast<double>(x), ++count;
      for (std::size_t i = k; i < elements.size(); i += width) {
        if (std::isfinite(elements[i])) continue;
        if (count == 0)
          throw DataError(file_ + ": no training example has a number at " + name + place(array.shape(), i / width, k));
        elements[i] = static_cast<float>(sum / count);
      }
    }
  }

  void require_same_types() const {
    const auto types = [](const Values& values) {
      std::vector<std::string> result;
      const std::vector<std::string> names = values.paths();
      for (std::size_t i = 0; i < names.size(); ++i) {
        Type type = values.leaves()[i].type();
        type.shape.erase(type.shape.begin());
        result.push_back("'" + names[i] + "' " + to_text(type));
      }
      std::ranges::sort(result);
      return result;
    };
    const std::vector<std::string> train = types(train_), test = types(test_);
    std::vector<std::string> alone;
    std::ranges::set_symmetric_difference(train, test, std::back_inserter(alone));
    if (!alone.empty())
      throw DataError(file_ +
                      ": training and test examples have arrays of other names, shapes or types: " + alone.front() +
                      " is of " + (std::ranges::count(train, alone.front()) ? "training" : "test") + " examples alone");
    // In one order.
    std::vector<Values::Entry> entries;
    for (const auto& [name, value] : train_.entries()) entries.emplace_back(name, test_[name]);
    test_ = Values(std::move(entries));
  }

  std::string file_;
  double test_share_;
  bool shuffle_;
  std::string y_, missing_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
  mutable std::vector<std::string> notes_;
};

LOPT_PLUGIN(Npz, "npz", {.summary = "Arrays of NumPy's .npz and .npy files, with splits or without"})
