#pragma once
// What arrays are by their names, as they are found: x_train, train_images, test/label, y.

#include <string>

namespace lopt {

enum class Part { whole, train, validation, test };
enum class Role { other, input, label, target };  // `target`: "y", classes or numbers

struct ArrayName {
  Part part = Part::whole;
  Role role = Role::other;
  std::string name;    // without the split; of inputs and labels what lopt calls them
  std::string prefix;  // words before the others, of a file: "mnist" of mnist_train_images
};

/// An array of an archive. What is no word of these keeps its name.
ArrayName named_array(const std::string& name);
/// A .npy file, by its name without the ending.
ArrayName named_file(const std::string& name);

}  // namespace lopt
