#pragma once
// Arrays of labels as they are found: numbers from anywhere, one-hot, text.

#include <lopt/plugin.h>

#include <optional>

namespace lopt {

/// A text for each label, which names its class: of bool, whole numbers, text, each [n] or [n, 1], and of rows with
/// one 1 among zeros. Empty texts: missing (NaN, empty). Nothing where the array holds no labels; `why` says what is
/// no label then.
std::optional<std::vector<std::string>> labels_of(const StoredArray& array, std::string& why);

/// Whether an array that may be either holds classes: bool, text, one-hot, or whole numbers that are few and repeat.
bool holds_classes(const StoredArray& array);

}  // namespace lopt
