#pragma once
#include <lopt/tree.h>

#include "data/json.h"

#include <string>

namespace lopt {

/// Draws the first 16 images of a batch with their labels as a PNG file. Throws DataError where the batch is not of
/// square images {"image": [n, side²], "label": [n]}, and std::runtime_error where the file cannot be written.
void write_preview(const std::string& path, const std::string& title, const Values& batch);

/// The first 16 images of a batch for a page: {"side", "labels", "pixels": base64 of a byte each}; null where it is not
/// of square images.
Json first_images(const Values& batch);

}  // namespace lopt
