#include "report/preview.h"

#include "data/durable_file.h"

#include <lopt/dataset.h>

#include <cairo.h>
#include <fmt/format.h>
#include <nettle/base64.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace lopt {
namespace {

constexpr int cell = 112, label_height = 26, header = 44, columns = 4, most_images = 16;

struct SurfaceCloser {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct ContextCloser {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};

void centred_text(cairo_t* context, double x, double y, const std::string& text) {
  cairo_text_extents_t extents;
  cairo_text_extents(context, text.c_str(), &extents);
  cairo_move_to(context, x - extents.width / 2 - extents.x_bearing, y);
  cairo_show_text(context, text.c_str());
}

}  // namespace

void write_preview(const std::string& path, const std::string& title, const Values& batch) {
  if (!batch.contains("image") || !batch.contains("label"))
    throw DataError("the batch has no 'image' and 'label' to draw");
  const Array image = batch["image"], label = batch["label"];
  const auto count = static_cast<int>(std::min<std::int64_t>(most_images, image.shape()[0]));
  const std::size_t pixels = image.size() / static_cast<std::size_t>(image.shape()[0]);
  const auto side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(pixels))));
  if (static_cast<std::size_t>(side) * static_cast<std::size_t>(side) != pixels)
    throw DataError(fmt::format("the images have {} values, which make no square to draw", pixels));

  const int rows = (count + columns - 1) / columns;
  std::unique_ptr<cairo_surface_t, SurfaceCloser> surface(cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, columns * (cell + 12) + 12, header + rows * (cell + label_height + 6) + 6));
  std::unique_ptr<cairo_t, ContextCloser> context(cairo_create(surface.get()));
  cairo_t* c = context.get();
  cairo_set_source_rgb(c, 1, 1, 1);
  cairo_paint(c);
  cairo_select_font_face(c, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_source_rgb(c, 0.13, 0.13, 0.13);
  cairo_set_font_size(c, 15);
  cairo_move_to(c, 12, 28);
  cairo_show_text(c, title.c_str());
  const std::span<const float> values = image.values<float>();
  const double dot = static_cast<double>(cell) / side;
  for (int n = 0; n < count; ++n) {
    const int row = n / columns, x_pixel = 12 + n % columns * (cell + 12),
              y_pixel = header + row * (cell + label_height + 6);
    const double x = x_pixel, y = y_pixel;
    cairo_set_antialias(c, CAIRO_ANTIALIAS_NONE);
    for (int i = 0; i < side * side; ++i) {
      const auto grey = static_cast<double>(values[static_cast<std::size_t>(n) * pixels + static_cast<std::size_t>(i)]);
      cairo_set_source_rgb(c, grey, grey, grey);
      const int image_row = i / side, image_column = i % side;
      cairo_rectangle(c, x + image_column * dot, y + image_row * dot, dot + 0.5, dot + 0.5);
      cairo_fill(c);
    }
    cairo_set_antialias(c, CAIRO_ANTIALIAS_DEFAULT);
    cairo_set_source_rgb(c, 0.13, 0.13, 0.13);
    cairo_set_font_size(c, 14);
    centred_text(c, x + cell / 2.0, y + cell + 18,
                 std::to_string(label.values<std::int32_t>()[static_cast<std::size_t>(n)]));
  }
  cairo_surface_flush(surface.get());
  std::string png;
  auto append = [](void* to, const unsigned char* data, unsigned int length) {
    static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(data), length);
    return CAIRO_STATUS_SUCCESS;
  };
  if (cairo_surface_write_to_png_stream(surface.get(), append, &png) != CAIRO_STATUS_SUCCESS)
    throw std::runtime_error("the picture could not be drawn");
  write_durably(path, png);
}

Json first_images(const Values& batch) {
  if (!batch.contains("image") || !batch.contains("label") || !batch["image"].is_leaf() || !batch["label"].is_leaf())
    return nullptr;
  const Array image = batch["image"].leaf(), label = batch["label"].leaf();
  if (image.dtype() != DType::float32 || label.dtype() != DType::int32 || image.shape().empty()) return nullptr;
  const auto count = static_cast<std::size_t>(std::min<std::int64_t>(most_images, image.shape()[0]));
  const std::size_t pixels = image.size() / static_cast<std::size_t>(image.shape()[0]);
  const auto side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
  if (side * side != pixels || label.size() < count) return nullptr;
  std::vector<std::uint8_t> bytes;
  for (const float value : image.values<float>().first(count * pixels))
    bytes.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F))));
  std::string text(BASE64_ENCODE_RAW_LENGTH(bytes.size()), '\0');
  base64_encode_raw(text.data(), bytes.size(), bytes.data());
  const auto labels = label.values<std::int32_t>().first(count);
  return {{"side", side}, {"labels", std::vector<std::int32_t>(labels.begin(), labels.end())}, {"pixels", text}};
}

}  // namespace lopt
