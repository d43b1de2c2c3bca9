#include <lopt/plugin.h>

#include <cstring>
#include <mutex>

using namespace lopt;

namespace {

/// Rows [from, to) of the first dimension.
Array part(const Array& array, std::int64_t from, std::int64_t to) {
  Type type = array.type();
  type.shape[0] = to - from;
  Array result(type);
  const std::size_t width = array.size() / static_cast<std::size_t>(array.shape()[0]) * 4;
  std::memcpy(result.mutable_data(),
              static_cast<const std::byte*>(array.data()) + static_cast<std::size_t>(from) * width,
              static_cast<std::size_t>(to - from) * width);
  return result;
}

/// Arrays called NAME/… below NAME.
Values nested(const Values& flat) {
  Values result;
  for (const auto& [name, array] : flat.entries()) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos) {
      result.set(name, array);
      continue;
    }
    const std::string before = name.substr(0, slash);
    Values below = result.contains(before) ? result[before] : Values();
    below.set(name.substr(slash + 1), array);
    result.set(before, below);
  }
  return result;
}

}  // namespace

/// Arrays of a NumPy .npz file by their names, whose first dimension is the example: "image" and "label", "x" and "y",
/// "text". Arrays called train/NAME and test/NAME are the splits; without them the last share is for testing.
class Npz final : public Dataset {
 public:
  explicit Npz(Settings& s)
      : file_(s.text("file").doc("the .npz file")),
        test_share_(s.real("test_share", 0.1)
                        .above(0)
                        .below(1)
                        .doc("of the examples, at the end, where the file has no splits")) {}

  const Values& examples(Split split) const override {
    const std::lock_guard lock(mutex_);
    if (train_.entries().empty()) read();
    return split == Split::train ? train_ : test_;
  }

 private:
  void read() const {
    const Values all = nested(read_npz(file_));
    if (all.contains("train") != all.contains("test"))
      throw DataError(file_ + ": has arrays of the split '" + (all.contains("train") ? "train" : "test") + "' alone");
    if (all.contains("train")) {
      train_ = checked(all["train"], "train/");
      test_ = checked(all["test"], "test/");
      if (types_without_count(train_) != types_without_count(test_))
        throw DataError(file_ + ": train/ and test/ have arrays of other names, shapes or types");
      return;
    }
    const Values whole = checked(all, "");
    const std::int64_t count = whole.leaves().front().shape()[0],
                       test = std::max<std::int64_t>(
                           1, static_cast<std::int64_t>(static_cast<double>(count) * test_share_));
    if (test >= count) throw DataError(file_ + ": has " + std::to_string(count) + " examples, too few for two splits");
    train_ = map([&](const Array& a) { return part(a, 0, count - test); }, whole);
    test_ = map([&](const Array& a) { return part(a, count - test, count); }, whole);
  }

  Values checked(const Values& arrays, const std::string& prefix) const {
    if (arrays.leaf_count() == 0) throw DataError(file_ + ": has no arrays");
    const std::vector<std::string> names = arrays.paths();
    const std::vector<Array> leaves = arrays.leaves();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      if (leaves[i].shape().empty() || leaves[i].size() == 0)
        throw DataError(file_ + ": " + prefix + names[i] + " is " + to_text(leaves[i].type()) +
                        "; the first dimension should be the example");
      if (leaves[i].shape()[0] != leaves[0].shape()[0])
        throw DataError(file_ + ": " + prefix + names[i] + " has " + std::to_string(leaves[i].shape()[0]) +
                        " examples, but " + prefix + names[0] + " has " + std::to_string(leaves[0].shape()[0]));
    }
    return arrays;
  }
  static std::vector<std::string> types_without_count(const Values& arrays) {
    std::vector<std::string> result = arrays.paths();
    for (const Array& leaf : arrays.leaves()) {
      Type type = leaf.type();
      type.shape[0] = 0;
      result.push_back(to_text(type));
    }
    return result;
  }

  std::string file_;
  double test_share_;
  mutable std::mutex mutex_;
  mutable Values train_, test_;
};

LOPT_PLUGIN(Npz, "npz", {.summary = "Arrays of a NumPy .npz file, with splits or without"})
